"""What happens to locks, told to observers; the sender is the class of the lock.

Receivers run on the thread that did it, those of ``lock_lost`` on one of their own. They must be
quick, and what they raise is logged and changes nothing.
"""

from typing import Any

from django.dispatch import Signal

# lease; waited: seconds in line, 0 when nobody was in the way
lock_acquired = Signal(use_caching=True)
# lease; held_for: seconds
lock_released = Signal(use_caching=True)
# lease
lock_lost = Signal(use_caching=True)
# name, fence, actor: who did it, reason, meta: of the holder, with "via" if it came over HTTP
lock_forced = Signal(use_caching=True)
# name: of the lock the victim gave up, cycle: names of the locks in it
lock_deadlock = Signal(use_caching=True)

# error: LockUnavailable, for each call that the store has not answered or has refused
lock_store_failed = Signal(use_caching=True)


def tell(signal: Signal, sender: type, **facts: Any) -> None:
    """Costs a look when nobody listens."""
    if signal.receivers:
        signal.send_robust(sender, **facts)
