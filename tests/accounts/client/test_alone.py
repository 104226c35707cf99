"""The client is for other programs: it needs neither Django nor anything of the server."""

import subprocess
import sys

from django.conf import settings

IMPORT = """
import sys
import accounts.client
print(*{name.partition(".")[0] for name in sys.modules})
"""


def test_the_client_is_imported_without_django() -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT],
        env={"PYTHONPATH": str(settings.BASE_DIR)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(result.stdout.split())
    assert "httpx2" in loaded
    assert loaded.isdisjoint({"django", "rest_framework", "rest_framework_simplejwt", "redis"})
