"""The breakers of this process, by name.

Names in code are few, and stay. Names made per call have no end: of them there are at most
``MAX_KEYED``. One more makes those leave that were called longest ago, if that is a whole window
ago and they are closed; while none can, it shares the circuit of the others.
"""

import os
import threading
from time import monotonic
from typing import Any, Unpack
from weakref import ref

from .breaker import Breaker
from .conf import conf
from .declared import declared
from .names import canonical, shortened
from .options import Options

FULL_FOR = 1.0
"""Seconds to look for no room after there was none."""

_breakers: dict[str, Breaker] = {}
_keyed: set[str] = set()
_full_until = 0.0
# Re-entrant, because whatever is collected meanwhile may call a circuit as it ends.
_changing = threading.RLock()


def get_breaker(name: str, **options: Unpack[Options]) -> Breaker:
    """The one breaker of that name; options, if given, replace those given before.

    Raises CircuitNameError and PolicyError.
    """
    breaker = _breakers.get(name)
    if breaker is None or name in _keyed:
        breaker = _kept(_made(name, options))
    if options and options != breaker.options:
        breaker.configure(options)
        declared.doubt(breaker.name)
    return breaker


def declared_breaker(name: str, options: Options) -> Breaker:
    """``get_breaker`` for code that says all there is to say: none are options, too."""
    breaker = get_breaker(name, **options)
    if not breaker.replica.said:
        breaker.replica.said = True
        declared.doubt(breaker.name)
    return breaker


def keyed_breaker(name: str, options: Options, *, overflow: str) -> Breaker:
    """``get_breaker`` for names made per call: the options are read at the first one only.

    While there is no room for more names it is the breaker of ``overflow``.
    """
    breaker = _breakers.get(name) or _added(canonical(shortened(name)), options)
    return breaker or get_breaker(overflow, **options)


def borrowed(name: str) -> Breaker:
    """The one of that name or, if this process has none, one that ends with its asker."""
    return _breakers.get(canonical(name)) or Breaker(name)


def breakers() -> list[Breaker]:
    return list(_breakers.values())


def known(name: str) -> bool:
    """Whether this process has a circuit of that name."""
    return name in _breakers


def options_of(name: str) -> dict[str, Any] | None:
    """Those that the code of this process gives it, of a policy; None if it gives none."""
    breaker = _breakers.get(name)
    return breaker.replica.options if breaker and breaker.replica.said else None


def forget() -> None:
    """Make room for all; for tests."""
    global _full_until
    with _changing:
        for name in _keyed:
            del _breakers[name]
        _keyed.clear()
        _full_until = 0.0


def _made(name: str, options: Options) -> Breaker:
    breaker = Breaker(name)
    if options:
        breaker.configure(options)
    return breaker


def _kept(breaker: Breaker) -> Breaker:
    """For good; of two threads that made one, both get the one that came first."""
    with _changing:
        _keyed.discard(breaker.name)
        kept = _breakers.setdefault(breaker.name, breaker)
        declared.add(kept.replica, standing=True)
        return kept


def _added(name: str, options: Options) -> Breaker | None:
    """The breaker of a name made per call, if there is one or room for one."""
    if (breaker := _breakers.get(name)) or monotonic() < _full_until:
        return breaker
    made = _made(name, options)
    with _changing:
        if name not in _breakers:
            if not _has_room(monotonic()):
                return None
            _keyed.add(name)
            declared.add(made.replica, standing=False)
        return _breakers.setdefault(name, made)


def _has_room(now: float) -> bool:
    """Whether one more may come, after others have left for it if need be."""
    global _full_until
    most = conf().max_keyed
    if len(_keyed) >= most:
        _make_room(now, share=max(most // 10, 1))
    if len(_keyed) >= most:
        _full_until = now + FULL_FOR
    return len(_keyed) < most


def _make_room(now: float, *, share: int) -> None:
    """Let a share of the names leave at once, so that it pays to have looked at all of them."""
    idle = {name: since for name in tuple(_keyed) if (since := _idle_since(name, now))}
    for name in sorted(idle, key=idle.__getitem__):
        share -= _left(name)
        if share <= 0:
            return


def _idle_since(name: str, now: float) -> float | None:
    breaker = _breakers.get(name)
    return breaker.replica.heard_at if breaker and breaker.replica.is_idle(now) else None


def _left(name: str) -> bool:
    """Whether the breaker is gone; one that somebody is calling at this moment stays."""
    breaker = _breakers.pop(name, None)
    last = breaker and ref(breaker)
    del breaker
    if kept := last and last():
        _breakers[name] = kept
        return False
    _keyed.discard(name)
    return True


def _inherit() -> None:
    """In a forked child: another thread of the parent may have been at work under the lock."""
    global _changing
    _changing = threading.RLock()
    _keyed.intersection_update(_breakers)


os.register_at_fork(after_in_child=_inherit)
