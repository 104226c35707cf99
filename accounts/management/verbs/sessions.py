from argparse import ArgumentTypeError
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts import control
from accounts.models import LoginSession

from .terminal import Terminal, brief, refusal


def add(verbs: Any) -> None:
    ending = verbs.add_parser("revoke", help="End sessions and all tokens of theirs.")
    which = ending.add_mutually_exclusive_group(required=True)
    which.add_argument("user", nargs="?", metavar="USER", help="all of this user: a username")
    which.add_argument("--session", metavar="ID", help="one")
    which.add_argument("--all", action="store_true", dest="everybody", help="all of everybody")
    which.add_argument(
        "--issued-before", type=moment, metavar="TIME", help="those that began before it"
    )
    ending.add_argument("--reason", required=True, type=brief, help="kept on record")
    ending.add_argument("--yes", action="store_true", help="Do not ask.")
    forgetting = verbs.add_parser("purge", help="Forget what is past its end.")
    for verb, run in ((ending, revoke), (forgetting, purge)):
        verb.add_argument("--json", action="store_true", dest="as_json")
        verb.set_defaults(run=run)


def revoke(
    terminal: Terminal, *, user: str | None, session: str | None, everybody: bool,
    issued_before: datetime | None, reason: str, yes: bool, as_json: bool, **_: Any,
) -> None:  # fmt: skip
    match user, session, issued_before:
        case str(), _, _:
            owner = found(user)
            terminal.demand(f"End every session of {owner.get_username()}?", yes=yes)
            ended = control.revoke(owner, reason=reason)
        case _, str(), _:
            one = LoginSession.objects.filter(pk=session)
            if not one.exists():
                raise refusal(f"There is no session {session!r}.")
            terminal.demand("End this session?", yes=yes)
            ended = control.end_sessions(one, reason=reason)
        case _, _, datetime():
            terminal.demand(f"End every session begun before {issued_before}?", yes=yes)
            ended = control.revoke_begun_before(issued_before, reason=reason)
        case _:
            terminal.demand("End every session of everybody?", yes=yes)
            ended = control.revoke_all(reason=reason)
    if as_json:
        terminal.tell({"revoked": ended})
    else:
        terminal.stdout.write(f"{ended} sessions ended")


def purge(terminal: Terminal, *, as_json: bool, **_: Any) -> None:
    forgotten = control.purge(now=timezone.now())
    if as_json:
        terminal.tell(forgotten)
    else:
        for what, number in forgotten.items():
            terminal.stdout.write(f"{number} {what.replace('_', ' ')} forgotten")


def found(username: str) -> AbstractBaseUser:
    users = get_user_model()
    try:
        return users._default_manager.get_by_natural_key(username)
    except users.DoesNotExist:
        raise refusal(f"There is no user {username!r}.") from None


def moment(text: str) -> datetime:
    try:
        time = parse_datetime(text)
    except ValueError:
        time = None
    if time is None:
        raise ArgumentTypeError(f"{text!r} is not a time like 2026-11-23T17:30:00Z")
    return timezone.make_aware(time) if timezone.is_naive(time) else time
