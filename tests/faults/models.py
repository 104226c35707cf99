"""A fenced row per lock, and a trail that the database itself keeps of every fence."""

from collections.abc import Iterable

from django.core.management import call_command
from django.db import connection, models

from locking import FencedModel

from .checker import Moved


class Row(FencedModel):
    name = models.CharField(primary_key=True, max_length=200)
    writes = models.IntegerField(default=0)

    class Meta:
        app_label = "faults"

    def __str__(self) -> str:
        return self.name


class Trail(models.Model):
    table = models.CharField(max_length=10)
    name = models.CharField(max_length=200)
    before = models.BigIntegerField()
    after = models.BigIntegerField()

    class Meta:
        app_label = "faults"

    def __str__(self) -> str:
        return f"{self.table} {self.name}: {self.before} -> {self.after}"


# A trigger runs while the row is locked: the order of the trail is that of the commits.
INSERT = """
INSERT INTO faults_trail("table", name, before, after) VALUES ('{}', new.name, {}, new.fence)
"""
SQLITE = "CREATE TRIGGER {0}_{1} AFTER {1} ON {2} BEGIN {3}; END"
POSTGRES = """
CREATE FUNCTION {0}_{1}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {3}; RETURN new; END $$;
CREATE TRIGGER {0}_{1} AFTER {1} ON {2} FOR EACH ROW EXECUTE FUNCTION {0}_{1}()
"""


def create(names: Iterable[str]) -> None:
    call_command("migrate", verbosity=0, run_syncdb=True)
    trigger = SQLITE if connection.vendor == "sqlite" else POSTGRES
    with connection.cursor() as cursor:
        for label, table in (("row", "faults_row"), ("fence", "locking_fence")):
            for event, before in (("insert", "0"), ("update", "old.fence")):
                insert = INSERT.format(label, before)
                cursor.execute(trigger.format(f"trail_{label}", event, table, insert))
    Row.objects.bulk_create(Row(name=name) for name in names)


def trail() -> list[Moved]:
    rows = Trail.objects.order_by("pk").values_list("table", "name", "before", "after")
    return [Moved(*row) for row in rows.iterator()]
