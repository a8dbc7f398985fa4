"""`user`: says who may sign in to the pages."""

from __future__ import annotations

import json
import re
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.conf import settings

from sendit.audit.acts import Act
from sendit.audit.trail import Actor, AuditKey, note
from sendit.ground.commands import DatabaseCommand, WrongUse
from sendit.ground.terminal import table
from sendit.pipeline.operations import COMMAND
from sendit.web import accounts
from sendit.web.models import User
from sendit.web.roles import Role


class Command(DatabaseCommand):
    """Add, list and disable the people who may sign in to the pages, and give them roles."""

    help = (
        "Add, list, disable and enable the people who may sign in to the pages. A new user chooses a password through "
        "the one-time link that `add` and `link` print."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        add = actions.add_parser("add", help="add a user, or change the roles of one; prints a one-time link")
        _add_name(add)
        add.add_argument(
            "--role",
            metavar="R",
            action="append",
            default=[],
            choices=list(Role),
            help=f"one of {', '.join(Role)}; without any, the user has only the roles that projects' files give",
        )
        listed = actions.add_parser("list", help="all users with their roles")
        listed.add_argument("--json", action="store_true", help="one JSON object a line")
        for action, about in (
            ("disable", "stop a user from signing in, and end open sessions"),
            ("enable", "allow a user to sign in again"),
            ("link", "print a one-time link by which a user chooses a new password"),
        ):
            _add_name(actions.add_parser(action, help=about))

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        """Do it."""
        if action == "list":
            self.lines(_objects() if options["json"] else _rows())
            return
        name = options["name"]
        match action:
            case "add":
                self._add(name, [Role(role) for role in options["role"]])
            case "link":
                self._link(_known(name))
            case _:
                accounts.set_active(_known(name), action == "enable")
                _note(Act.CHANGE_USER, name, f"{action}d")
                self.stdout.write(f"{name} {'may sign in again' if action == 'enable' else 'may no longer sign in'}.")

    def _add(self, name: str, roles: list[Role]) -> None:
        if not re.fullmatch(accounts.NAME_FORM, name):
            raise WrongUse("NAME has up to 150 letters, digits and any of . _ + - @")
        user = User.objects.filter(name=name).first()
        if user:
            accounts.give(user, roles)
            _note(Act.CHANGE_ROLES, name, f"now {', '.join(sorted(roles))}")
            self.stdout.write(f"{name} has these roles now: {', '.join(sorted(roles)) or 'none'}.")
            return
        added = accounts.add(name, roles)
        _note(Act.CHANGE_ROLES, name, f"added as {', '.join(sorted(roles))}")
        self._link(added)

    def _link(self, user: User) -> None:
        _note(Act.CHANGE_USER, user.name, "made a one-time link")
        base = settings.SITE.web_url or f"http://{settings.SITE.web_listen}"
        self.stdout.write(f"With this link {user.name} chooses a password, once and within 24 hours:")
        self.stdout.write(f"  {base}/welcome/{accounts.new_link(user)}")


def _note(act: Act, name: str, reason: str) -> None:
    key = AuditKey.of(settings.SITE.secrets_folder, settings.SITE.var)
    note(key, act, Actor(COMMAND), [("user", name)], reason=reason)


def _add_name(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the name to sign in with")


def _known(name: str) -> User:
    user = User.objects.filter(name=name).first()
    if user is None:
        raise WrongUse("There is no user of that NAME.")
    return user


def _rows() -> Iterator[str]:
    rows = [(user.name, ", ".join(sorted(user.roles)), _state(user)) for user in User.objects.order_by("name")]
    yield from table(rows, header=("user", "roles", "state")) if rows else ["There is no user."]


def _objects() -> Iterator[str]:
    for user in User.objects.order_by("name"):
        yield json.dumps({"user": user.name, "roles": sorted(user.roles), "state": _state(user)})


def _state(user: User) -> str:
    if not user.is_active:
        return "disabled"
    return "may sign in" if user.has_usable_password() else "has not followed the link yet"
