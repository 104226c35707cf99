"""What importing costs and does: commands and the server's first process rest on it."""

import subprocess
import sys
import textwrap

from django.conf import settings


def test_commands_need_no_sdk_and_to_read_the_application_starts_nothing() -> None:
    """Workers are forked from a process that has read it: threads and sockets would be lost."""
    code = """
        import os, sys, threading
        import django
        from django.core.checks import run_checks

        def sockets():
            links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
            return {os.readlink(link) for link in links if os.path.lexists(link)
                    and os.readlink(link).startswith("socket:")}

        before = sockets()
        django.setup()
        run_checks()
        assert "breaker.contrib.google.views" in sys.modules
        assert "google.genai" not in sys.modules
        from config.application import application
        assert "google.genai" in sys.modules
        assert threading.enumerate() == [threading.main_thread()]
        assert sockets() == before
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=settings.BASE_DIR, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
