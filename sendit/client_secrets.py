"""The client-secrets file: one client's tokens for a DASHER identity service, shared by all workers of a machine.

It is JSON with `accessToken`, `refreshToken`, `client_id` and `token_uri`. Both tokens are renewed together, and the
old ones are invalid from then on. So only the holder of the lock renews them, and the file is replaced as a whole.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sendit.durable import disk, draft_of, locked, place, private, sweep_drafts, sync
from sendit.errors import Misconfigured, ServiceDown

SUBJECT = "client secrets"
ROOM_BYTES = 16_384
"""Space reserved for the file: more than any two tokens take."""


def endpoint(text: str) -> str:
    """Return the URL of an identity service: https, or http on this machine only. Raises ValueError for any other."""
    address = text.strip().rstrip("/")
    parts = urlsplit(address)
    is_here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    is_private = parts.scheme == "https" or (parts.scheme == "http" and is_here)
    is_bare = parts.username is None and not parts.query and not parts.fragment and parts.port != 0
    if not (parts.hostname and is_private and is_bare and re.fullmatch(r"[!-~]+", address)):
        raise ValueError("not an address of an identity service")
    return address


def is_token(text: object) -> bool:
    """Return whether the text is a token that an Authorization header can carry (RFC 6750, 2.1)."""
    return isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9._~+/=-]{1,4096}", text) is not None


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """An access token, and the refresh token that is exchanged for the next pair."""

    access: str
    refresh: str


@dataclass(frozen=True, slots=True, repr=False)
class ClientSecrets:
    """The content of the file."""

    tokens: Tokens
    client_id: str
    token_uri: str


class SecretsFile:
    """The file at a path. A symbolic link, as for a secret mounted into a container, is followed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> ClientSecrets:
        """Read the file. Raises Misconfigured("ClientSecrets") with the name of the missing or invalid field."""
        return _parsed(self._fields())

    def write_new(self, secrets: ClientSecrets) -> None:
        """Create the file, for its owner only. Raises FileExistsError if the name is taken."""
        draft = draft_of(self._path)
        try:
            with open(draft, "x", opener=private, encoding="utf-8") as file:
                _write(file, _fields_of(secrets))
            os.link(draft, self._path)
            sync(self._path.parent)
        finally:
            draft.unlink(missing_ok=True)

    def renewed(
        self, stale: Tokens, renew: Callable[[ClientSecrets], Tokens], patience_seconds: float
    ) -> ClientSecrets:
        """Replace the stale tokens and return the new secrets; if another worker has replaced them, return those.

        Space for the new tokens is written before `renew` is called, so that a full disk or a read-only folder is found
        while the old tokens are still valid.

        Raises
        ------
        ServiceDown
            Another worker has held the lock for longer than `patience_seconds`, or the disk refuses.
        """
        with self._alone(patience_seconds):
            fields = self._fields()
            current = _parsed(fields)
            if current.tokens != stale:
                return current
            with self._draft() as draft:
                tokens = renew(current)
                _write(draft, fields | {"accessToken": tokens.access, "refreshToken": tokens.refresh})
            return self.read()

    def _fields(self) -> dict[str, Any]:
        try:
            fields = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            raise Misconfigured("ClientSecrets")
        return fields

    @contextmanager
    def _alone(self, patience_seconds: float) -> Iterator[None]:
        target = self._target()
        lock = locked(target.with_name(f".{target.name}.lock"), patience_seconds=patience_seconds)
        with ExitStack() as stack:
            with disk(SUBJECT):
                try:
                    stack.enter_context(lock)
                except TimeoutError:
                    raise ServiceDown("IdentityDown") from None
            yield

    @contextmanager
    def _draft(self) -> Iterator[TextIOWrapper]:
        """Open a draft with space reserved; it replaces the secrets file when the block ends without an error."""
        target = self._target()
        draft = draft_of(target)
        try:
            with disk(SUBJECT):
                sweep_drafts(target)
                file = open(draft, "x", opener=private, encoding="utf-8")  # noqa: SIM115
            with file:
                with disk(SUBJECT):
                    _write(file, {" ": " " * ROOM_BYTES})
                yield file
            with disk(SUBJECT):
                place(draft, target)
        finally:
            draft.unlink(missing_ok=True)

    def _target(self) -> Path:
        return Path(os.path.realpath(self._path))


def _write(file: TextIOWrapper, fields: dict[str, Any]) -> None:
    with disk(SUBJECT):
        file.seek(0)
        file.write(json.dumps(fields, indent=2) + "\n")
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _fields_of(secrets: ClientSecrets) -> dict[str, Any]:
    return {
        "accessToken": secrets.tokens.access,
        "refreshToken": secrets.tokens.refresh,
        "client_id": secrets.client_id,
        "token_uri": secrets.token_uri,
    }


def _parsed(fields: dict[str, Any]) -> ClientSecrets:
    are_right = {
        "accessToken": is_token(fields.get("accessToken")),
        "refreshToken": is_token(fields.get("refreshToken")),
        "token_uri": _is_endpoint(fields.get("token_uri")),
    }
    for name, is_right in are_right.items():
        if not is_right:
            raise Misconfigured("ClientSecrets", subject=name)
    tokens = Tokens(fields["accessToken"], fields["refreshToken"])
    return ClientSecrets(tokens, str(fields.get("client_id", "")), endpoint(fields["token_uri"]))


def _is_endpoint(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(endpoint(text))
    except ValueError:
        return False
