"""The product's settings with times short enough for a test to wait for."""

from config.settings import BREAKER, GOOGLE_AI, LOCKING
from tests.patient_settings import *  # noqa: F403

BREAKER = BREAKER | {"OPEN_TIMEOUT": 3}
GOOGLE_AI = GOOGLE_AI | {"IMAGEN_SECONDS": 5}
LOCKING = LOCKING | {"LEASE": 5}
RATE_LIMITS = {"USER": 0, "ADDRESS": 0}
