"""`identity_client`: manages the clients of the identity service that this sendit serves."""

from __future__ import annotations

import json
import re
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from sendit.client_secrets import ClientSecrets, SecretsFile, endpoint
from sendit.durable import disk
from sendit.ground.commands import NEEDS_A_LOOK, DatabaseCommand, WrongUse
from sendit.ground.terminal import counted, table
from sendit.identity_service import tokens
from sendit.identity_service.apps import KEY_FILES
from sendit.identity_service.audit import Use, use_of
from sendit.identity_service.models import Client
from sendit.projects.composition import pseudonym_key

RECENT = timedelta(hours=24)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Command(DatabaseCommand):
    key_files = KEY_FILES
    help = "Add, renew or revoke a client of the identity service, or list all clients and how much they asked."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=("add", "renew", "revoke", "list"), help="what to do")
        parser.add_argument("name", metavar="NAME", nargs="?", help="the client, such as a gateway's host name")
        parser.add_argument("--url", help="where the client reaches this service, such as https://identity.example.org")
        parser.add_argument(
            "--out", metavar="FILE", help="where its secrets go (default: NAME.client-secrets.json, here)"
        )
        parser.add_argument("--json", action="store_true", help="list: one JSON object per line for each client")

    def handle(self, *args: Any, action: str, name: str | None, **options: Any) -> None:
        """Run one action. `list` ends with exit code 1 if a client was revoked because a replaced token was used."""
        if action == "list":
            self._list(**options)
        elif name is None:
            raise WrongUse(f"{action} needs the client's NAME.")
        elif action == "revoke":
            self._revoke(_known(name))
        else:
            self._give_secrets(action, name, **options)

    def _give_secrets(self, action: str, name: str, url: str | None, out: str | None, **options: Any) -> None:
        path, base = Path(out or f"{name}.client-secrets.json"), _base(url)
        if path.exists():
            raise WrongUse("The file for the secrets exists already; choose another with --out.")
        with transaction.atomic():
            client = _added(name) if action == "add" else _known(name)
            secrets = ClientSecrets(tokens.reissue(client), name, f"{base}/token/api/v1/refresh")
            with disk("--out"):
                SecretsFile(path).write_new(secrets)
        self.stdout.write(f"{name} may ask. Its secrets are in {path}, and nowhere else: move them to the client.")
        self.stdout.write(f"There: STANFORD_CLIENT_SECRETS names the file, SENDIT_IDENTITY_URL={base}/identifiers/api")

    def _revoke(self, client: Client) -> None:
        tokens.revoke(client, tokens.OPERATOR)
        self.stdout.write(f"{client.name} may no longer ask; `sendit identity_client renew` allows it again.")

    def _list(self, json: bool, **options: Any) -> None:
        clients = list(Client.objects.order_by("name"))
        since = timezone.now() - RECENT
        self.lines(_objects(clients, since) if json else _rows(clients, since))
        if any(client.revoked_for == tokens.REUSE for client in clients):
            sys.exit(NEEDS_A_LOOK)


def _base(url: str | None) -> str:
    if url is None:
        raise WrongUse("--url says where the client reaches this service.")
    try:
        return endpoint(url)
    except ValueError:
        raise WrongUse("--url must be an https address (http only for this machine).") from None


def _added(name: str) -> Client:
    if not NAME.fullmatch(name):
        raise WrongUse("NAME is up to 64 letters, digits and any of . _ -")
    if Client.objects.filter(name=name).exists():
        raise WrongUse("There is a client of that NAME; `renew` gives it new secrets.")
    answered_by = tokens.answered_by(pseudonym_key(settings.SITE), settings.SITE.max_date_shift_days)
    return Client.objects.create(name=name, answered_by=answered_by)


def _known(name: str) -> Client:
    client = Client.objects.filter(name=name).first()
    if client is None:
        raise WrongUse("There is no client of that NAME.")
    return client


HEADER = ("client", "last asked", "answered", "patients", "studies", "refused", "state")


def _rows(clients: list[Client], since: datetime) -> Iterator[str]:
    """Yield lines for a person: the last 24 hours of each client, then of requests without a client."""
    uses = [(client, use_of(client, since)) for client in clients]
    rows = [(client.name, _moment(use), *_numbers(use), _state(client)) for client, use in uses]
    yield from table(rows, header=HEADER) if rows else ["There is no client."]
    nobody = use_of(None, since)
    yield f"Refused without a client's token: {counted(nobody.refused, 'request')}. Numbers are of the last 24 hours."


def _objects(clients: list[Client], since: datetime) -> Iterator[str]:
    for client in [*clients, None]:
        name, state = (client.name, _state(client)) if client else (None, "")
        yield json.dumps({"client": name, "state": state, **asdict(use_of(client, since))}, default=str)


def _moment(use: Use) -> str:
    return f"{use.last_at:%Y-%m-%d %H:%M:%S}" if use.last_at else "never"


def _numbers(use: Use) -> tuple[int, int, int, int]:
    return use.answered, use.patients, use.studies, use.refused


def _state(client: Client) -> str:
    if client.revoked_at is None:
        return "may ask"
    why = "a replaced token was used: somebody has a copy" if client.revoked_for == tokens.REUSE else "by the operator"
    return f"revoked {client.revoked_at:%Y-%m-%d %H:%M:%S}, {why}"
