"""The product's, with one service to watch, and nothing behind health that a worker has to load."""

from tests.settings import *  # noqa: F403
from tests.settings import HEALTH

ROOT_URLCONF = __name__
urlpatterns: list[object] = []
HEALTH = {**HEALTH, "SERVICES": ["switch"], "PROBES": ["tests.faults.health.switch.Switch"]}
