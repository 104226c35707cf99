"""Limits that a test can reach, and a view that fails."""

from tests.live_settings import *  # noqa: F403

RATE_LIMITS = {"USER": 40, "ADDRESS": 60}
ROOT_URLCONF = "tests.config.logged_urls"
