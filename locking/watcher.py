"""Waits until whoever runs a program is gone, and then kills the program's process group.

A process by itself, without Django: SIGKILL gives no time to do anything at all, but the kernel
closes the pipe of whoever it ends. The first line on it is the group.
"""

import os
import signal
import sys
from contextlib import suppress


def main() -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    group = sys.stdin.readline()
    sys.stdin.read()
    if group:
        with suppress(ProcessLookupError):
            os.killpg(int(group), signal.SIGKILL)


if __name__ == "__main__":
    main()
