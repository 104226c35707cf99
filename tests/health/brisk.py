"""The test settings with short intervals, for servers that a test waits on."""

from tests.settings import *  # noqa: F403
from tests.settings import HEALTH

HEALTH = {**HEALTH, "INTERVALS": dict.fromkeys(["database", "cache", "locks"], 0.3)}
