"""Django's settings: what Django itself needs, and `SITE`, which holds everything that is sendit's own."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from sendit import keys
from sendit.errors import Misconfigured
from sendit.keys import secret
from sendit.projects import settings_file
from sendit.projects.site import SETTINGS, variable

SETTINGS_FILE = settings_file.find(os.environ, Path.cwd())
SITE = settings_file.load(os.environ, SETTINGS_FILE)
VAR_IS_NAMED = bool(os.environ.get("SENDIT_VAR"))

# What another system's library reads from the environment by itself.
os.environ |= {
    entry.own_variable: text
    for name, entry in SETTINGS.items()
    if entry.own_variable and (text := getattr(SITE, name.lower()))
}


def _django_key() -> str:
    """The first secret that a process needs: one that may not make or read it can do nothing.

    Where nobody has made keys, it is a passing one, so that a command that needs no VAR leaves nothing behind.
    """
    try:
        with suppress(FileNotFoundError):
            SITE.secrets_folder.stat()  # says what `present` does not: that it may not be looked into
        if not keys.present(SITE.secrets_folder):
            return secrets.token_hex(32)
        return secret(SITE.secrets_folder / "django.key", lambda: secrets.token_hex(32).encode()).decode()
    except (PermissionError, FileNotFoundError, NotADirectoryError, FileExistsError):
        named = variable("SECRETS" if SITE.secrets else "VAR")
        raise Misconfigured("FolderRefused", subject=named) from None


# Google's library asks for its bucket's metadata in a thread of its own, for traces, even where nobody collects any.
os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")

SECRET_KEY = _django_key()
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
INSTALLED_APPS = [
    "django.contrib.contenttypes",  # which the next one needs
    "django.contrib.auth",
    "django.contrib.sessions",
    "sendit.audit",
    "sendit.confirmations",
    "sendit.pipeline",
    "sendit.receiving",
    "sendit.identity_service",
    "sendit.web",
]
AUTH_USER_MODEL = "web.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"


def database(url: str) -> dict[str, Any]:
    """Django's DATABASES entry for a URL; empty is SQLite in VAR."""
    scheme, _, path = (url or f"sqlite:///{SITE.var / keys.DATABASE}").partition("://")
    if scheme == "sqlite" and path.startswith("/"):
        return _sqlite(path[1:])
    if scheme in ("postgres", "postgresql"):
        return _postgres(url)
    raise Misconfigured("BadSetting", subject=f"SENDIT_DATABASE: {SETTINGS['DATABASE'].form}")


def _sqlite(path: str) -> dict[str, Any]:
    """In WAL mode, writers in turn."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "timeout": 30,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
        },
    }


PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "target_session_attrs": "read-write",
}
"""How long a server that does not answer is waited for, and, of several hosts, which is asked: the one that writes.
The URL may say otherwise."""

POOL = {"min_size": 1, "max_size": 40, "timeout": 6, "reconnect_timeout": 6, "max_idle": 60, "num_workers": 1}
"""A process holds one connection for its work and one for its lease; so does each of `upload_finished`.
A pool waits twice as long before each attempt to connect, until it gives up and starts again: with psycopg's own five
minutes, a server that is back would not be seen for as long as it was away."""


def _postgres(url: str) -> dict[str, Any]:
    """Through psycopg 3 and its pool, which hands out no connection that a restart of the server has broken."""
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise Misconfigured("MissingPackage", subject="SENDIT_DATABASE: sendit[postgres]") from None
    try:
        parameters = conninfo_to_dict(url)
    except ProgrammingError:
        raise Misconfigured("BadSetting", subject=f"SENDIT_DATABASE: {SETTINGS['DATABASE'].form}") from None
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parameters.pop("dbname", None) or "sendit",
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"application_name": "sendit", **PATIENCE, **parameters, "pool": POOL},
    }


DATABASES = {"default": database(SITE.database)}
