"""Users who gain or lose a group, or a permission of their own, lose what was issued before.

What a group may do is no part of that: it is looked up on each request, so a change of it holds at
once, and its members stay signed in.
"""

from collections.abc import Collection
from typing import Any, cast

from django.contrib.auth import get_user_model
from django.db.models import ManyToManyField, Model
from django.db.models.signals import m2m_changed, pre_delete

from . import sessions
from .sessions import Reason

ROLES = ("groups", "user_permissions")


def connect() -> None:
    for relation in get_user_model()._meta.many_to_many:
        if relation.name in ROLES:
            Receivers(relation)


class Receivers:
    """For one relation of users to what they may do."""

    def __init__(self, relation: "ManyToManyField[Any, Any]") -> None:
        self.relation = relation
        self.through = cast(type[Model], relation.remote_field.through)
        m2m_changed.connect(self.changed, sender=self.through, weak=False)
        pre_delete.connect(self.deleted, sender=relation.related_model, weak=False)

    def changed(
        self, instance: Model, action: str, reverse: bool, pk_set: set[Any] | None, **_: Any
    ) -> None:
        match action:
            case "post_add" | "post_remove" if pk_set:
                self.end(pk_set if reverse else [instance.pk])
            case "pre_clear":
                self.end(self.holders(instance) if reverse else [instance.pk])

    def deleted(self, instance: Model, **_: Any) -> None:
        self.end(self.holders(instance))

    def holders(self, role: Model) -> list[Any]:
        rows = self.through._base_manager.filter(**{self.relation.m2m_reverse_field_name(): role})
        return list(rows.values_list(self.relation.m2m_field_name(), flat=True))

    def end(self, users: Collection[Any]) -> None:
        if users:
            sessions.void(users, reason=Reason.USER_CHANGED)
