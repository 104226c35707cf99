"""The first account: without it nobody could log in to make others."""

import secrets

from django.contrib.auth import get_user_model

NAME = "operator"


def ensure(password: str) -> str | None:
    """Create the operator if missing; returns the password when one had to be made up."""
    users = get_user_model()._default_manager
    if users.filter(**{get_user_model().USERNAME_FIELD: NAME}).exists():
        return None
    made_up = secrets.token_urlsafe(18)
    users.create_superuser(NAME, password=password or made_up)
    return None if password else made_up
