"""The product's settings with times short enough for a test to wait for."""

from config.settings import *  # noqa: F403
from config.settings import BREAKER

BREAKER = BREAKER | {"OPEN_TIMEOUT": 3}
