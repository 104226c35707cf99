from typing import Any

from accounts import control, errors

from .terminal import Terminal, refusal


def add(verbs: Any) -> None:
    sealing = verbs.add_parser(
        "reencrypt", help="Seal everything with the first encryption key, and count each key's."
    )
    sealing.add_argument("--drop", metavar="KID", help="Fail unless this key may be dropped.")
    sealing.add_argument("--json", action="store_true", dest="as_json")
    sealing.set_defaults(run=reencrypt)


def reencrypt(terminal: Terminal, *, drop: str | None, as_json: bool, **_: Any) -> None:
    try:
        moved, uses = control.reencrypt(drop=drop)
    except errors.AccountsError as error:
        raise refusal(error) from None
    if as_json:
        terminal.tell({"moved": moved, "keys": [use.row for use in uses]})
        return
    terminal.stdout.write(f"{sum(moved.values())} values sealed anew")
    for use in uses:
        terminal.stdout.write(f"{use.kid}  {use.total:>8} values  {use.verdict}")
