import getpass
import socket
from typing import Any

from accounts import lockouts
from accounts.audit import printable
from accounts.models import LoginGuard
from accounts.serializers import LockoutRow

from .sessions import found
from .terminal import Terminal, brief, refusal


def add(verbs: Any) -> None:
    listing = verbs.add_parser("locked", help="Accounts that are locked, the latest first.")
    opening = verbs.add_parser("unlock", help="Unlock an account, and its owner's devices.")
    opening.add_argument("user", metavar="USER", help="a username")
    opening.add_argument("--reason", required=True, type=brief, help="kept on record")
    opening.add_argument("--yes", action="store_true", help="Do not ask.")
    for verb, run in ((listing, locked), (opening, unlock)):
        verb.add_argument("--json", action="store_true", dest="as_json")
        verb.set_defaults(run=run)


def locked(terminal: Terminal, *, as_json: bool, **_: Any) -> None:
    rows = rows_of(lockouts.locked().order_by("-touched_at", "pk"))
    if as_json:
        terminal.tell({"results": rows, "next": None, "previous": None})
    for row in () if as_json else rows:
        name = "(no user)" if row["username"] is None else printable(row["username"])
        until = "unlocked" if row["hard"] else row["locked_until"]
        terminal.stdout.write(
            f"{name}  {row['failures']} failures  level {row['level']}  until {until}"
            f"  from {', '.join(row['addresses']) or 'nowhere known'}"
        )


def unlock(
    terminal: Terminal, *, user: str, reason: str, yes: bool, as_json: bool, **_: Any
) -> None:
    owner = found(user)
    terminal.demand(f"Unlock {owner.get_username()}?", yes=yes)
    guards = LoginGuard.objects.filter(user_id=owner.pk)
    actor = f"{getpass.getuser()}@{socket.gethostname()}"
    if not lockouts.unlock(guards, actor=actor, reason=reason):
        raise refusal(f"{printable(owner.get_username())} is not locked.")
    if as_json:
        terminal.tell({"results": rows_of(guards.select_related("user").order_by("pk"))})
    else:
        terminal.stdout.write(f"{printable(owner.get_username())} unlocked")


def rows_of(guards: Any) -> Any:
    chosen = list(guards)
    return LockoutRow(chosen, many=True, context={"networks": lockouts.networks(chosen)}).data
