"""The test settings with short intervals, for servers that a test waits on."""

from tests.settings import *  # noqa: F403
from tests.settings import HEALTH

BRISK = ["database", "cache", "locks", "google_veo"]
HEALTH = {**HEALTH, "INTERVALS": dict.fromkeys(BRISK, 0.3)}
