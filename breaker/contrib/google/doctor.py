"""Can Google be called, as whom, and for how long at most? Nothing is asked of Google itself."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

from breaker.doctor import Finding, Level

from .conf import HOST, Settings, conf

LOGIN = "Run gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS."


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    settings: Settings
    chosen: bool = False
    """GOOGLE_APPLICATION_CREDENTIALS names the file."""
    credentials: str = "service_account"
    """The kind that is in the file; empty if there is none, or what is in it is no such thing."""
    mode: int | None = 0o600
    """Of the file; None where there is none."""
    proxied: bool = False


def examine() -> Iterator[Finding]:
    chosen = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
    file = Path(chosen) if chosen else usual_file()
    return judged(
        Facts(
            settings=conf(),
            chosen=bool(chosen),
            credentials=kind(file),
            mode=file.stat().st_mode & 0o777 if file.is_file() else None,
            proxied=bool(getproxies().get("https")) and not proxy_bypass(HOST),
        )
    )


def usual_file() -> Path:
    """Where gcloud puts it."""
    directory = os.environ.get("CLOUDSDK_CONFIG") or Path.home() / ".config" / "gcloud"
    return Path(directory) / "application_default_credentials.json"


def kind(file: Path) -> str:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return ""
    return str(found.get("type", "")) if isinstance(found, dict) else ""


def judged(facts: Facts) -> Iterator[Finding]:
    yield target(facts)
    if facts.settings.project:
        yield credentials(facts)
        yield secrecy(facts)
    yield limits(facts)
    yield way(facts)


def target(facts: Facts) -> Finding:
    wanted = facts.settings
    if wanted.project:
        return _ok(1, f"Calls are made for project {wanted.project} in {wanted.location}.")
    if wanted.simulator_port:
        return _ok(1, f"The simulator on port {wanted.simulator_port} stands in for Google.")
    hint = "Set GOOGLE_AI['PROJECT'], or run the simulator and set GOOGLE_AI['SIMULATOR_PORT']."
    return _warning(1, "There is nobody to call: every generation is refused.", hint)


def credentials(facts: Facts) -> Finding:
    if facts.credentials:
        return _ok(2, f"There are credentials: {facts.credentials.replace('_', ' ')}.")
    if facts.chosen or facts.mode is not None:
        which = "GOOGLE_APPLICATION_CREDENTIALS" if facts.chosen else "gcloud's own file"
        return _error(2, f"{which} holds no credentials that can be read.", LOGIN)
    return _warning(2, "No file holds credentials: only a machine of Google's has its own.", LOGIN)


def secrecy(facts: Facts) -> Finding:
    if facts.mode is not None and facts.mode & 0o077:
        return _warning(3, f"Others may read the credentials ({facts.mode:o}).", "chmod 600 them.")
    return _ok(3, "Nobody else reads the credentials.")


def limits(facts: Facts) -> Finding:
    values = {
        field.name.removesuffix("_seconds").replace("_", " "): getattr(facts.settings, field.name)
        for field in fields(facts.settings)
        if field.name.endswith("_seconds")
    }
    told = ", ".join(f"{name} {seconds:g} s" for name, seconds in values.items())
    return _ok(4, f"Each call ends: {told}.")


def way(facts: Facts) -> Finding:
    if facts.proxied and facts.settings.project:
        return _ok(5, "Calls go through the proxy that the environment names.")
    return _ok(5, "Calls go straight to where they are meant to go.")


def _ok(number: int, message: str) -> Finding:
    return Finding(id=f"google.D{number:03}", level=Level.OK, message=message)


def _warning(number: int, message: str, hint: str) -> Finding:
    return Finding(id=f"google.D{number:03}", level=Level.WARNING, message=message, hint=hint)


def _error(number: int, message: str, hint: str) -> Finding:
    return Finding(id=f"google.D{number:03}", level=Level.ERROR, message=message, hint=hint)
