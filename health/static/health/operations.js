// Keeps the panels true: asks for them every few seconds and draws again those that have changed.
"use strict";
{
    const LONGEST_WAIT = 30_000, PATIENCE = 5_000, OLD = 10;
    const KEY = "health.operations.every";
    const panels = document.getElementById("panels");
    const live = document.getElementById("live");
    const news = document.getElementById("news");
    const every = document.getElementById("every");

    let tag = "";
    // The server's clock less this one, in milliseconds.
    let offset = 0;
    // When what is shown was true, by this clock; and how often in a row nothing was heard.
    let taken = Date.now(), failures = 0;
    let timer = 0, asking = null;

    const spoken = seconds => {
        for (const [limit, size, unit] of [[100, 1, "s"], [6000, 60, "min"], [172800, 3600, "h"]]) {
            if (seconds < limit) return `${Math.floor(seconds / size)} ${unit}`;
        }
        return `${Math.floor(seconds / 86400)} d`;
    };

    const count = () => {
        const now = Date.now();
        for (const time of panels.querySelectorAll("time")) {
            const apart = Math.abs(now + offset - Date.parse(time.dateTime)) / 1000;
            const text = spoken(apart);
            if (time.textContent !== text) time.textContent = text;
        }
        const age = Math.max(0, Math.floor((now - taken) / 1000));
        live.textContent = failures ? `Not live: last heard ${spoken(age)} ago.` : `${spoken(age)} old.`;
        live.classList.toggle("dead", failures > 0);
        live.classList.toggle("old", !failures && age > OLD);
    };

    const words = () => new Map(
        Array.from(panels.querySelectorAll("[data-told]"), one => [one.dataset.told, one.textContent.trim()])
    );

    // Of what is not new, only the words that differ are worth being read out.
    const announce = (before, after) => {
        const changed = [...after].filter(([name, word]) => before.has(name) && before.get(name) !== word);
        if (changed.length) news.textContent = changed.map(([name, word]) => `${name}: ${word}`).join(", ");
    };

    const draw = html => {
        const fresh = new DOMParser().parseFromString(html, "text/html");
        const before = words();
        for (const section of fresh.querySelectorAll("section")) {
            const shown = document.getElementById(section.id);
            if (shown && shown.dataset.version !== section.dataset.version) exchange(shown, section);
        }
        announce(before, words());
    };

    const exchange = (shown, section) => {
        const focused = shown.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
        const scrolled = shown.querySelector(".wide")?.scrollLeft;
        shown.replaceWith(document.adoptNode(section));
        if (scrolled) section.querySelector(".wide")?.scrollTo(scrolled, 0);
        if (focused) {
            Array.from(section.querySelectorAll("a")).find(link => link.getAttribute("href") === focused)?.focus();
        }
    };

    const look = async () => {
        asking = new AbortController();
        const limit = setTimeout(() => asking.abort(), PATIENCE);
        try {
            const headers = tag ? {"If-None-Match": tag} : {};
            const answer = await fetch(panels.dataset.url, {
                headers, signal: asking.signal, cache: "no-store", redirect: "manual",
            });
            // Whoever is signed out meanwhile is sent elsewhere.
            if (answer.type === "opaqueredirect" || answer.status === 403) return location.reload();
            if (answer.status !== 304) {
                if (!answer.ok) throw new Error(answer.statusText);
                draw(await answer.text());
                tag = answer.headers.get("ETag") ?? "";
            }
            offset = Date.parse(answer.headers.get("Date")) - Date.now();
            taken = Date.now() - 1000 * Number(answer.headers.get("Age"));
            failures = 0;
        } catch {
            failures += 1;
        } finally {
            clearTimeout(limit);
            asking = null;
        }
        count();
        plan();
    };

    const plan = () => {
        clearTimeout(timer);
        const pause = 1000 * Number(every.value) * 2 ** failures;
        if (pause && !document.hidden) timer = setTimeout(look, Math.min(pause, LONGEST_WAIT));
    };

    const kept = localStorage.getItem(KEY);
    every.value = Array.from(every.options).some(one => one.value === kept) ? kept : "2";
    every.addEventListener("change", () => {
        localStorage.setItem(KEY, every.value);
        if (!asking) plan();
    });
    every.closest("label").hidden = false;
    document.addEventListener("visibilitychange", () => {
        if (document.hidden) clearTimeout(timer);
        else if (!asking) look();
    });
    setInterval(count, 1000);
    look();
}
