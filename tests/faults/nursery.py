"""Imported once, by the process that forks all others: Django is ready, nothing is connected."""

import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.faults.settings"
django.setup()

import tests.faults.worker  # noqa: E402, F401
