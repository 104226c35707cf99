"""A program that runs while this process holds a lock, and no longer.

What leaves the program's process group, as a daemon does, is reached by no signal and may go on.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from . import watcher
from .errors import LockLost
from .leases import Lease
from .locks import Lock

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# Seconds between looks at the lease, and from TERM to KILL when it is lost.
LOOK, GRACE = 0.1, 5.0
PR_SET_PDEATHSIG = 1


class Program:
    """The program is its own process group, so that signals reach all that it started.

    Signals sent to this process go on to the program. Before it has begun they end the wait for
    the lock. When the lease is lost the program has ``grace`` seconds to end.
    """

    def __init__(self, command: Sequence[str], *, grace: float = GRACE) -> None:
        self.command = command
        self.grace = grace
        self._process: subprocess.Popen[bytes] | None = None
        self._begun = False
        self._pending: int | None = None

    def run(self, wanted: Lock) -> int:
        """The program's exit code, 128 + n if signal n ended it.

        Raises what ``acquire`` raises, OSError if there is no such program, and LockLost if the
        lease ended before the program, which then has been ended too.
        """
        before = {number: signal.signal(number, self._heard) for number in FORWARDED}
        try:
            with wanted.acquire() as lease, _watched() as pipe:
                return self._watch(self._start(lease, pipe), lease)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if not self._begun:
            raise SystemExit(128 + number)
        self._pending = number
        self._forward()

    def _forward(self) -> None:
        if self._process and self._pending:
            _send(self._process, self._pending)
            self._pending = None

    def _start(self, lease: Lease, pipe: int) -> subprocess.Popen[bytes]:
        self._begun = True
        self._process = subprocess.Popen(  # noqa: S603 - to run it is what was asked for
            self.command,
            env=_environment(os.environ, lease),
            # In the background of a terminal, reading from it would stop the program for ever.
            stdin=subprocess.DEVNULL if sys.stdin is None or sys.stdin.isatty() else None,
            process_group=0,
            preexec_fn=_dying_with_parent(pipe),
        )
        self._forward()
        return self._process

    def _watch(self, process: subprocess.Popen[bytes], lease: Lease) -> int:
        while True:
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(LOOK)
                return code if code >= 0 else 128 - code
            try:
                lease.check()
            except LockLost:
                self._end(process)
                raise

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        _send(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(self.grace)
        # Also what is left of a group whose first process has ended.
        _send(process, signal.SIGKILL)
        process.wait()


def _send(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _environment(environ: Mapping[str, str], lease: Lease) -> dict[str, str]:
    return {**environ, "LOCK_NAME": lease.name, "LOCK_FENCE": str(lease.fence)}


@contextmanager
def _watched() -> Iterator[int]:
    """A pipe, and a process that kills the group named on it if this one is killed."""
    theirs, ours = os.pipe()
    process = subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-I", "-S", watcher.__file__],
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Out of the way of what ends this process.
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def told(name: str) -> str:
    """Names of programs and users are bytes, and not always text."""
    return name.encode(errors="backslashreplace").decode()[:200]


def _dying_with_parent(pipe: int) -> Callable[[], None]:
    """A parent that is killed renews no more, so its program must not go on either."""
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def before() -> None:
        # Told before the program begins, so that there is no moment at which nobody knows.
        os.write(pipe, b"%d\n" % os.getpid())
        if prctl:  # should the watcher be killed as well
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    return before
