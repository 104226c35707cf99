"""The processes that ``manage.py up`` starts and stops."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1


class StartFailed(Exception):
    """One line for the person who typed the command."""


def end_with_parent() -> None:
    """For ``preexec_fn``: a parent that is killed leaves no process behind (Linux only)."""
    # Only those of a group who know what to do with it shall hear SIGUSR1.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Child:
    name: str
    process: subprocess.Popen[bytes]
    log: Path | None = None

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path | None = None,
        directory: Path | None = None,
    ) -> "Child":
        """Output goes to ``log``, or to this process's own. Ctrl-C reaches only the parent."""
        output = log.open("ab") if log else None
        try:
            process = subprocess.Popen(  # noqa: S603 - our own commands
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=directory,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        finally:
            if output:
                output.close()
        return cls(name, process, log)

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            if self.process.poll() is not None:
                raise StartFailed(self.epitaph())
            if time.monotonic() > deadline:
                raise StartFailed(f"{self.name} did not answer within {seconds:.0f} s{self._see()}")
            time.sleep(0.02)

    def epitaph(self) -> str:
        return f"{self.name} ended with exit code {self.process.returncode}{self._see()}"

    def _see(self) -> str:
        return f"; see {self.log}" if self.log else ""

    def announce_end(self, *, seconds: float) -> None:
        """Let a server's workers ask for no more requests, and give that time to be heard."""
        if seconds and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGUSR1)
            time.sleep(seconds)

    def stop(self, *, seconds: float = 15) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        # The whole group: a server that died alone has left its workers behind.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
