"""Moving what is sealed to the first key of the ring, so that older keys can be dropped.

No state is kept: what is still under another key is what is left to do, so a run that was killed
is simply started again. Each row is written only over the very envelope that was read.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models, transaction
from django.db.models import Count, QuerySet
from django.db.models.functions import Substr
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from . import blacklist, errors, sealed
from .models import SigningKey

BATCH = 500


@dataclass(frozen=True, slots=True)
class Column:
    """A column of envelopes; ``key`` is the one that names the row each is bound to."""

    model: type[models.Model]
    name: str
    key: str

    def __str__(self) -> str:
        return f"{self.model._meta.db_table}.{self.name}"

    @property
    def filled(self) -> QuerySet[Any]:
        return self.model._base_manager.exclude(**{self.name: ""})

    def place(self, key: str) -> str:
        return sealed.place(self.model, self.name, key)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """``rows`` by column; none for a column without any."""

    kid: str
    in_ring: bool
    seals: bool
    rows: Mapping[str, int]

    @property
    def droppable(self) -> bool:
        return not self.seals and not self.rows

    @property
    def total(self) -> int:
        return sum(self.rows.values())

    @property
    def verdict(self) -> str:
        if not self.in_ring:
            return "not in the ring: nothing opens these"
        if self.seals:
            return "seals"
        return "may be dropped" if self.droppable else "in use"

    @property
    def row(self) -> dict[str, Any]:
        return {
            "kid": self.kid,
            "in_ring": self.in_ring,
            "seals": self.seals,
            "droppable": self.droppable,
            "rows": dict(self.rows),
        }


def columns() -> Iterator[Column]:
    yield Column(SigningKey, "secret", "keyid")
    if blacklist.installed():
        yield Column(OutstandingToken, "token", "jti")


def run() -> dict[str, int]:
    """Seal anew what is not under the first key; how many rows of each column.

    Raises SealBroken at the first row that no key of the ring opens; those before it are done.
    """
    if blacklist.installed():
        blacklist.seal_plain()
    return {str(column): sum(_batches(column)) for column in columns()}


def report() -> list[KeyUse]:
    """Every key of the ring and every other key in use, the sealing one first."""
    ring, found = sealed.ring(), rows_by_kid()
    kids = [*ring.ciphers, *sorted(found.keys() - ring.ciphers.keys())]
    return [
        KeyUse(kid=kid, in_ring=kid in ring.ciphers, seals=kid == ring.kid, rows=found[kid])
        for kid in kids
    ]


def refuse_unless_droppable(kid: str) -> None:
    """Raises KeyInUse for a key that seals, or that some row still needs; KeyUnknown."""
    use = {use.kid: use for use in report()}.get(kid)
    if use is None:
        raise errors.KeyUnknown
    if not use.droppable:
        raise errors.KeyInUse(kid, rows=use.total)


def rows_by_kid() -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for column in columns():
        kid = Substr(column.name, len(sealed.VERSION) + 2, sealed.KID_LENGTH)
        counted = column.filled.order_by().values_list(kid).annotate(Count("pk"))
        for name, rows in counted:
            found[name][str(column)] = rows
    return found


def _batches(column: Column) -> Iterator[int]:
    left = column.filled.exclude(**{f"{column.name}__startswith": sealed.ring().prefix})
    fields, last = ("pk", column.key, column.name), None
    while True:
        later = left if last is None else left.filter(pk__gt=last)
        rows = list(later.order_by("pk").values_list(*fields)[:BATCH])
        if not rows:
            return
        yield _reseal(column, rows)
        last = rows[-1][0]


def _reseal(column: Column, rows: list[tuple[Any, str, str]]) -> int:
    with transaction.atomic():
        return sum(_move(column, pk, column.place(key), text) for pk, key, text in rows)


def _move(column: Column, pk: Any, place: str, text: str) -> int:
    """0 when somebody else has written the row since it was read."""
    anew = sealed.seal(sealed.unseal(text, place), place)
    unchanged = column.model._base_manager.filter(pk=pk, **{column.name: text})
    return unchanged.update(**{column.name: anew})
