"""The Grafana dashboard, as far as it can be known without Grafana."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .asked import dashboard, panels
from .test_rules import promtool as promtool

VARIABLES = {"$__rate_interval": "5m", "$__range": "6h", "$job": "mainstay", "$instance": ".*"}


def test_it_keeps_its_address_and_takes_any_data_source() -> None:
    shown = dashboard()
    assert (shown["uid"], shown["title"]) == ("mainstay", "Mainstay")
    # Imported elsewhere, it would meet the number of another.
    assert "id" not in shown
    variables = {variable["name"]: variable for variable in shown["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert {source["uid"] for source in _found(shown, "datasource")} == {"${datasource}"}
    used = re.findall(r"\$\{?(\w+)", json.dumps(shown))
    assert {name for name in used if not name.startswith("__")} == set(variables)


def _found(tree: Any, key: str) -> Iterator[Any]:
    """The values of a key, wherever it is."""
    for name, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if name == key:
            yield value
        elif isinstance(value, dict | list):
            yield from _found(value, key)


def test_panels_have_names_of_their_own_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in dashboard()["panels"]}) == len(dashboard()["panels"])
    assert len({panel["title"] for panel in panels()}) == len(panels())
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        columns = range(place["x"], place["x"] + place["w"])
        cells = {(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])}
        assert max(columns) < 24 and not cells & taken
        taken |= cells


def test_each_question_is_one_that_prometheus_understands(promtool: str, tmp_path: Path) -> None:
    questions = [target["expr"] for panel in panels() for target in panel["targets"]]
    assert len(questions) > 30
    for variable, value in VARIABLES.items():
        questions = [question.replace(variable, value) for question in questions]
    rules = [{"record": f"asked:{n}", "expr": asked} for n, asked in enumerate(questions)]
    file = tmp_path / "asked.yml"
    file.write_text(json.dumps({"groups": [{"name": "asked", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
