"""``circuit_changed`` is sent once per transition of the fleet, by the process that made it,
from a thread of its own; arguments: change (``breaker.history.Change``)."""

from django.dispatch import Signal

circuit_changed = Signal()
