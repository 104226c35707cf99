import getpass
import os
import sys
from pathlib import Path
from typing import Any

from accounts.client.signer import Signer

from .terminal import Terminal, refusal

SECRET = "SIGNING_SECRET"  # noqa: S105 - the name of a variable


def add(verbs: Any) -> None:
    signing = verbs.add_parser(
        "sign",
        help="Print the headers that sign a request, for `curl -H @-`.",
        description=f"The secret is read from ${SECRET}, else from standard input: arguments are"
        " for everybody on the machine to read. A signature works once, and for five minutes."
        " Example: manage.py accounts sign GET URL --key KEYID | curl -H @- URL",
    )
    signing.add_argument("method", metavar="METHOD")
    signing.add_argument("url", metavar="URL")
    signing.add_argument("--key", required=True, metavar="KEYID", dest="keyid")
    body = signing.add_mutually_exclusive_group()
    body.add_argument("--data", default="", metavar="TEXT", help="the body; curl: --data-raw")
    body.add_argument("--data-file", type=Path, metavar="FILE", help="curl: --data-binary @FILE")
    signing.add_argument(
        "--header", action="append", default=[], metavar="NAME:VALUE", dest="headers",
        help="one that the request will have: Content-Type, Idempotency-Key",
    )  # fmt: skip
    signing.add_argument("--json", action="store_true", dest="as_json")
    signing.set_defaults(run=sign)


def sign(
    terminal: Terminal, *, method: str, url: str, keyid: str, data: str, data_file: Path | None,
    headers: list[str], as_json: bool, **_: Any,
) -> None:  # fmt: skip
    given = dict(header.split(":", 1) for header in headers if ":" in header)
    try:
        body = data_file.read_bytes() if data_file else data.encode()
        added = Signer(keyid, _secret()).sign(method, url, body=body, headers=given)
    except (OSError, ValueError) as error:
        raise refusal(error) from None
    printed = {name: value.strip() for name, value in given.items()} | added
    if as_json:
        terminal.tell(printed)
        return
    for name, value in printed.items():
        terminal.stdout.write(f"{name}: {value}")


def _secret() -> str:
    if secret := os.environ.get(SECRET, ""):
        return secret
    if sys.stdin.isatty():
        return getpass.getpass("Secret: ")
    return sys.stdin.readline().strip()
