import subprocess
import sys

from django.conf import settings


def test_no_migration_is_missing(process_env: dict[str, str]) -> None:
    """In a process of its own, where no test has declared a model."""
    result = subprocess.run(
        [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
        cwd=settings.BASE_DIR, env=process_env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
