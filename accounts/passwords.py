"""Checking a password at the same cost whatever is wrong, and a few at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from threading import BoundedSemaphore
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import (
    BasePasswordHasher,
    check_password,
    get_hasher,
    get_hashers,
    identify_hasher,
    make_password,
)
from django.db import transaction
from django.db.models import Q

from . import epochs
from .conf import conf
from .errors import RateLimited

Kind = tuple[tuple[str, str], ...]

LONGEST_NAME = 254
LONGEST_PASSWORD = 1024
# Seconds in the queue for a hash. Who has waited that long is better told to come back.
PATIENCE = 10

# These even out the passes of an older hash themselves, where they are the first hasher.
SELF_LEVELLING = ("pbkdf2_", "bcrypt")
# Of how many kinds of older hashes the cost is added. Each one makes every failure dearer.
MOST_KINDS = 4


def acceptable(name: object, password: object) -> bool:
    """Whether it can be the name and the password of anybody. If not, nothing is looked up."""
    return _is_text(name, LONGEST_NAME) and _is_text(password, LONGEST_PASSWORD)


def _is_text(value: object, longest: int) -> bool:
    if not isinstance(value, str) or len(value) > longest or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def check(user: AbstractBaseUser | None, password: str, *, welcome: bool = True) -> bool:
    """Whether it is the password of a user who is ``welcome``; there may be no such user.

    Raises RateLimited under a flood.
    """
    encoded = user.password if user else ""
    with slot():
        right = _is_of(user, password, welcome) if user else check_password(password, encoded)
        if right and welcome:
            return True
        costs.level(password, encoded)
    return False


def _is_of(user: AbstractBaseUser, password: str, welcome: bool) -> bool:
    if type(user).check_password is not AbstractBaseUser.check_password:
        return user.check_password(password)
    # A new hash for one who is turned away would cost more than other failures do.
    renew = partial(_renew, user) if welcome else None
    return check_password(password, user.password, renew)


def _renew(user: AbstractBaseUser, password: str) -> None:
    """Keep the hash that a hasher of today makes. That is no change of the password: nothing ends
    by it, and of two logins at once one keeps its hash and the other takes it over."""
    before, held = epochs.standing(user), user.password
    row = get_user_model()._base_manager.filter(pk=user.pk)
    user.password = make_password(password)
    with transaction.atomic():
        if row.filter(password=held).update(password=user.password):
            epochs.keep(user, since=before)
            return
    kept = row.values_list("password", flat=True).first()
    # It may be another password by now: then this login is refused as one that came too late.
    if kept is not None and check_password(password, kept):
        user.password = kept


@contextmanager
def slot() -> Iterator[None]:
    """A place among those who may hash at a time in this process."""
    slots = _slots(conf().parallel_hashes)
    if not slots.acquire(timeout=PATIENCE):
        raise RateLimited(retry_after=1)
    try:
        yield
    finally:
        slots.release()


@lru_cache(maxsize=8)
def _slots(number: int) -> BoundedSemaphore:
    return BoundedSemaphore(number)


# A fork may come while another thread hashes, whose place nobody would give back.
os.register_at_fork(after_in_child=_slots.cache_clear)


class Costs:
    """Makes every failure cost the same work.

    A hash of an older kind takes another time to check, and a stranger could tell by it who has
    one, and so who is there at all. Nobody can hurry the older kind up, so as long as there are
    hashes of it each failure does the work of all kinds. Work rather than sleep: it stays equal
    on a machine that is busy. It ends with the last login or reset that renews such a hash.
    """

    def __init__(self) -> None:
        self._hashers: list[BasePasswordHasher] = []
        self._current: Kind | None = None
        self._samples: dict[Kind | None, str] = {}

    def level(self, password: str, encoded: str) -> None:
        """After a check against ``encoded`` that failed: do what the other kinds would take."""
        if self._hashers is not get_hashers():
            self._look_around()
        own = kind(encoded) or self._current
        if own not in self._samples and len(self._samples) < MOST_KINDS:
            self._samples = {**self._samples, own: encoded}
        for other, sample in self._samples.items():
            if other != own:
                identify_hasher(sample).verify(password, sample)

    def _look_around(self) -> None:
        hashers, current = get_hashers(), make_password("sample")
        self._current = kind(current)
        older = {kind(encoded): encoded for encoded in _older(current)}
        self._samples = {**older, self._current: current}
        self._hashers = hashers


def _older(current: str) -> Iterator[str]:
    """A hash of each kind that users have, other than that of ``current``."""
    hashes = Q()
    for hasher in get_hashers():
        hashes |= Q(password__startswith=f"{hasher.algorithm}$")
    users, known = get_user_model()._default_manager.filter(hashes), current
    for _ in range(MOST_KINDS):
        users = users.exclude(password__startswith=_before_salt(known))
        found = users.values_list("password", flat=True)[:1]
        if not found:
            return
        (known,) = found
        yield known


def _before_salt(encoded: str) -> str:
    """What the hashes of one kind have in common; with some hashers, less."""
    hasher: Any = identify_hasher(encoded)
    if kind(encoded) is None:
        return f"{hasher.algorithm}$"
    start, found, _ = encoded.partition(hasher.decode(encoded)["salt"])
    # Argon2 writes its salt in base64, and the hash after it.
    return start if found else encoded.rsplit("$", 2)[0]


def kind(encoded: str) -> Kind | None:
    """What decides how long a check takes; None if it takes as long as one of a current hash.

    So it does where there is nothing to check against: Django hashes once all the same.
    """
    try:
        hasher: Any = identify_hasher(encoded)
    except ValueError:
        return None
    if hasher.algorithm == get_hasher().algorithm and hasher.algorithm.startswith(SELF_LEVELLING):
        return None
    known = hasher.decode(encoded)
    return tuple(sorted((key, str(known[key])) for key in known.keys() - {"salt", "hash"}))


costs = Costs()
