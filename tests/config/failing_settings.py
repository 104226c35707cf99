"""The product's settings, with routes that end in each kind of error."""

from tests.patient_settings import *  # noqa: F403

RATE_LIMITS = {"USER": 0, "ADDRESS": 0}
ROOT_URLCONF = "tests.config.failing_urls"
