import json
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import control, errors


class Command(BaseCommand):
    help = "Operate login sessions."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        revoke = verbs.add_parser("revoke", help="End every session of a user.")
        revoke.add_argument("user", help="username")
        revoke.add_argument("--reason", required=True)
        revoke.add_argument("--yes", action="store_true", help="Do not ask.")
        verbs.add_parser("purge", help="Forget sessions that are past their end.")
        reencrypt = verbs.add_parser(
            "reencrypt", help="Seal everything with the first encryption key, and count each key's."
        )
        reencrypt.add_argument("--drop", metavar="KID", help="Fail unless this key may be dropped.")
        reencrypt.add_argument("--json", action="store_true")

    def handle(self, *, verb: str, **options: Any) -> None:
        match verb:
            case "revoke":
                self.revoke(options["user"], reason=options["reason"], sure=options["yes"])
            case "reencrypt":
                self.reencrypt(drop=options["drop"], as_json=options["json"])
            case "purge":
                self.stdout.write(f"{control.purge(now=timezone.now())} sessions forgotten")

    def reencrypt(self, *, drop: str | None, as_json: bool) -> None:
        try:
            moved, uses = control.reencrypt(drop=drop)
        except errors.AccountsError as error:
            raise CommandError(str(error)) from None
        if as_json:
            self.stdout.write(json.dumps({"moved": moved, "keys": [use.row for use in uses]}))
            return
        self.stdout.write(f"{sum(moved.values())} values sealed anew")
        for use in uses:
            self.stdout.write(f"{use.kid}  {use.total:>8} values  {use.verdict}")

    def revoke(self, username: str, *, reason: str, sure: bool) -> None:
        users = get_user_model()
        try:
            user = users._default_manager.get_by_natural_key(username)
        except users.DoesNotExist:
            raise CommandError(f"There is no user {username!r}.") from None
        if not sure and input(f"End every session of {username}? [y/N] ").lower() != "y":
            raise CommandError("Nothing was ended.")
        self.stdout.write(f"{control.revoke(user, reason=reason)} sessions ended")
