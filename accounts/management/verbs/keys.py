from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from accounts import control, keyring
from accounts.keyfile import NAME, HeldElsewhere
from accounts.keyring import Key, State, TooSoon
from accounts.keys import kid_of

from .terminal import Terminal, refusal


def add(verbs: Any) -> None:
    rotating = verbs.add_parser(
        "rotate-keys", help="Publish the next signing key, or let the one published sign."
    )
    rotating.add_argument(
        "--at-once", action="store_true", help="However short the next key has been public."
    )
    rotating.add_argument(
        "--print-keys", action="store_true",
        help=f"Print the value for {NAME}, private keys and all, and change nothing.",
    )  # fmt: skip
    rotating.add_argument("--json", action="store_true", dest="as_json")
    rotating.set_defaults(run=rotate)


def rotate(terminal: Terminal, *, at_once: bool, print_keys: bool, as_json: bool, **_: Any) -> None:
    try:
        keys = control.rotate_keys(now=timezone.now(), at_once=at_once, keep=not print_keys)
    except TooSoon as error:
        raise refusal(f"{error}, or use --at-once.") from None
    except HeldElsewhere:
        raise refusal(
            f"{NAME} is not kept in the file of secrets: run this with --print-keys, set what it"
            " prints and start the servers anew."
        ) from None
    except OSError as error:
        raise CommandError(f"The file of secrets: {error.strerror}.", returncode=2) from error
    if as_json:
        value = {"value": keyring.text(keys)} if print_keys else {}
        terminal.tell({"keys": [_row(key) for key in keys], **value})
    elif print_keys:
        terminal.stdout.write(f"{NAME}={keyring.text(keys)}")
    else:
        for key in keys:
            terminal.stdout.write("  ".join(_row(key).values()))
        terminal.stdout.write("Start the servers anew: each reads the keys when it starts.")


def _row(key: Key) -> dict[str, str]:
    row = {"kid": kid_of(key), "state": key.state.value}
    if key.at is None:
        return row
    return row | {"since" if key.state is State.NEXT else "until": key.at.isoformat()}
