"""Prometheus and Alertmanager with the shipped rules and configurations, thirty times as fast."""

import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from config.children import end_with_parent
from tests.deploy.asked import DEPLOY, RULES
from tests.product import call, free_port, until

SHIPPED = DEPLOY / "prometheus"
# A minute of the rules takes so many seconds. A look at the product takes one on a busy machine.
MINUTE = 2
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
DURATION = re.compile(r"\b(\d+)([smhd])\b")


def hurried(text: str) -> str:
    def shorter(found: re.Match[str]) -> str:
        seconds = int(found[1]) * SECONDS[found[2]]
        return f"{max(2, seconds * MINUTE // 60) if seconds else 0}s"

    return DURATION.sub(shorter, text)


def configuration(file: Path) -> Any:
    return yaml.safe_load(hurried(file.read_text()))


class Tower:
    def __init__(self, directory: Path, *, product: str, mailbox: str) -> None:
        self._directory = directory
        alertmanager, prometheus = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        self._url = f"http://{prometheus}"
        (directory / "rules.yml").write_text(hurried(RULES.read_text()))
        self._write("alertmanager.yml", told(mailbox))
        self._write("prometheus.yml", watching(product, alertmanager))
        self._processes = [
            self._start(
                "prometheus-alertmanager", "--config.file=alertmanager.yml",
                "--storage.path=alerts", "--cluster.listen-address=",
                f"--web.listen-address={alertmanager}",
            ),
            self._start(
                "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=series",
                f"--web.listen-address={prometheus}",
            ),
        ]  # fmt: skip
        until(_answers(f"http://{alertmanager}/-/ready"))
        until(_answers(f"{self._url}/-/ready"))

    def firing(self) -> set[str]:
        found = call("GET", f"{self._url}/api/v1/alerts").json["data"]["alerts"]
        return {one["labels"]["alertname"] for one in found if one["state"] == "firing"}

    def sees(self) -> bool:
        asked = call("GET", f"{self._url}/api/v1/query?query=health_status").json
        return bool(asked["data"]["result"])

    def stop(self) -> None:
        for process in self._processes:
            process.terminate()
            process.wait()

    def _write(self, name: str, configuration: Any) -> None:
        (self._directory / name).write_text(yaml.safe_dump(configuration))

    def _start(self, program: str, *options: str) -> subprocess.Popen[bytes]:
        found = shutil.which(program)
        assert found, f"this needs {program}; .ci/run installs it"
        with (self._directory / f"{program}.log").open("wb") as log:
            return subprocess.Popen(
                [found, "--log.level=warn", *options],
                cwd=self._directory,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,
            )


def told(mailbox: str) -> Any:
    found = configuration(SHIPPED / "alertmanager.yml")
    for receiver in found["receivers"]:
        for webhook in receiver["webhook_configs"]:
            webhook["url"] = mailbox
    return found


def watching(product: str, alertmanager: str) -> Any:
    found = configuration(SHIPPED / "prometheus.yml")
    found["rule_files"] = ["rules.yml"]
    found["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager]
    [job, _] = found["scrape_configs"]
    del job["authorization"]
    job["static_configs"][0]["targets"] = [product.removeprefix("http://")]
    found["scrape_configs"] = [job]
    return found


def _answers(url: str) -> Callable[[], bool]:
    def answers() -> bool:
        with suppress(OSError):
            return call("GET", url).status == 200
        return False

    return answers
