from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.db import models
from django.utils import timezone

from .errors import LockInvalid, StaleFence
from .names import Kind

if TYPE_CHECKING:
    from .leases import Lease


class FencedRows(models.QuerySet[Any]):
    def update(self, **values: Any) -> int:
        if "fence" in values:
            raise LockInvalid("The fence of a row is written by save_fenced().")
        return super().update(**values)


class FencedModel(models.Model):
    """A row that remembers the highest fence it was written under and refuses lower ones.

    ``save()`` writes the fence of a new row alone: whoever read the row before a newer holder wrote
    it would let older ones in again. ``update()`` and ``bulk_update()`` of ``objects`` refuse it.
    Managers of your own, ``bulk_create(update_conflicts=True)``, models of migrations and SQL do as
    they are told: leave ``fence`` out.
    """

    fence = models.BigIntegerField(default=0, editable=False)

    objects = FencedRows.as_manager()

    class Meta:
        abstract = True

    def save_fenced(
        self,
        lease: "Lease",
        *,
        update_fields: Iterable[str] | None = None,
        using: str | None = None,
    ) -> None:
        """Write as the holder of ``lease``; raises StaleFence if a newer holder has written.

        One UPDATE, so nothing can come between check and write, unless the model inherits from one
        with a table: then use ``locked_atomic()``. It sends no save signals. A new instance is
        inserted.
        """
        fence = _fence(lease)
        if self._state.adding:
            self.fence = fence
            self.save(force_insert=True, using=using)
            return
        table = models.QuerySet[Any](type(self), using=using or self._state.db)
        rows = table.filter(pk=self.pk)
        values = self._values(update_fields)
        if not rows.filter(fence__lte=fence).update(**values, fence=fence):
            stored = rows.values_list("fence", flat=True).get()
            raise StaleFence(lease.name, fence=fence, stored=stored)
        self.fence = fence

    async def asave_fenced(
        self,
        lease: "Lease",
        *,
        update_fields: Iterable[str] | None = None,
        using: str | None = None,
    ) -> None:
        await sync_to_async(self.save_fenced)(lease, update_fields=update_fields, using=using)

    def _do_update(
        self,
        base_qs: models.QuerySet[Any],
        using: str | None,
        pk_val: Any,
        values: Collection[Any],
        update_fields: Iterable[str] | None,
        forced_update: bool,
    ) -> bool:
        """What ``save()`` does to each table in which the row is."""
        values = [value for value in values if value[0].name != "fence"]
        return super()._do_update(base_qs, using, pk_val, values, update_fields, forced_update)

    def _values(self, update_fields: Iterable[str] | None) -> dict[str, Any]:
        concrete = self._meta.concrete_fields
        wanted = concrete if update_fields is None else [*map(self._meta.get_field, update_fields)]
        return {
            field.name: field.pre_save(self, add=False)
            for field in concrete
            if not (field.primary_key or field.generated or field.name == "fence")
            and field in wanted
        }


def _fence(lease: "Lease") -> int:
    try:
        return lease.fence
    except AttributeError:
        kind = type(lease).__name__
        raise LockInvalid(f"Wanted: the lease of a lock that is held, not {kind}.") from None


class Fence(models.Model):
    """The highest fence under which work on a name was committed."""

    name = models.CharField(primary_key=True, max_length=200)
    fence = models.BigIntegerField()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return f"{self.name}: {self.fence}"


class HeldLock(models.Model):
    """Has no table: names the permissions to see all locks and to break them, and their page."""

    name = models.CharField(primary_key=True, max_length=200)

    class Meta:
        managed = False
        verbose_name = "lock held"
        verbose_name_plural = "locks held"
        default_permissions = ("view",)
        permissions = [("force_release", "Can take locks from their holders")]

    def __str__(self) -> str:
        return self.name


class StoreEpoch(models.Model):
    """A word that the store has a copy of, for as long as it does not lose its data."""

    name = models.CharField(max_length=200, primary_key=True)
    """Cache alias and prefix, joined by a colon."""
    word = models.CharField(max_length=32)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class Outcome(models.TextChoices):
    PENDING = "pending"
    """Nobody was left to write down what happened."""
    RELEASED = "released"
    STALE = "stale_fence", "not held under that fence"
    UNANSWERED = "unanswered"
    """The store did not say; it may have done it."""


class ForcedRelease(models.Model):
    """Who took which lock from whom, and why. Written before it is done, its outcome after."""

    name = models.CharField(max_length=200, db_index=True)
    kind = models.CharField(max_length=4, choices=[(kind.value, kind.value) for kind in Kind])
    fence = models.BigIntegerField()
    holder = models.CharField(max_length=300, blank=True)
    """Host, process and thread, joined by colons."""
    meta = models.TextField(blank=True)
    """JSON. Not a JSONField, because PostgreSQL refuses JSON that holds a NUL."""
    actor = models.CharField(max_length=254)
    reason = models.CharField(max_length=500)
    at = models.DateTimeField(default=timezone.now)
    outcome = models.CharField(max_length=12, choices=Outcome, default=Outcome.PENDING)

    class Meta:
        ordering = ("-at", "-id")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.name} from fence {self.fence}"
