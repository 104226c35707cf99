"""The product's, with one service to watch."""

from tests.settings import *  # noqa: F403
from tests.settings import HEALTH

HEALTH = {**HEALTH, "SERVICES": ["switch"], "PROBES": ["tests.faults.health.switch.Switch"]}
