"""``circuit_changed`` is sent once per transition of the fleet, by the process that made it, from a
thread of its own and never inside a caller's transaction. It may come before or after the row of
that transition; a receiver that raises is logged, and keeps nobody else from hearing.

Its one argument is ``change``, a ``breaker.change.Change``; for an operator's command the
change names its actor.
"""

from django.dispatch import Signal

circuit_changed = Signal()
