"""The one place that reads the environment. Django's settings, and sendit's own as a table: loud on nonsense.

Every row of `SETTINGS` is a Django setting `X` and an environment variable `SENDIT_X`, or the one that the row names.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sendit.client_secrets import endpoint
from sendit.errors import Misconfigured
from sendit.keys import secret


def _flag(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    return words[text.strip().lower()]


def _at_least(minimum: float, kind: Callable[[str], float] = int) -> Callable[[str], float]:
    def parse(text: str) -> float:
        number = kind(text)
        if number < minimum:
            raise ValueError(text)
        return number

    return parse


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        return {word: word for word in words}[text.strip()]

    return parse


def _folder(text: str) -> str:
    """Empty would be wherever a command is started."""
    if not text.strip():
        raise ValueError(text)
    return text


def _folders(text: str) -> tuple[str, ...]:
    return tuple(part for part in (piece.strip() for piece in text.split(",")) if part)


def _dsn(text: str) -> str:
    if text and not re.fullmatch(r"https?://[^@/\s]+@[^@/\s]+(/\S*)?/\d+", text):
        raise ValueError(text)
    return text


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its default, how its text is read, what a legal text looks like, and what it is for."""

    default: Any
    parse: Callable[[str], Any]
    form: str
    about: str
    own_variable: str = ""
    """Its environment variable, where another system gave it a name that is kept."""
    is_secret: bool = False
    """May also stand in a file, of which `SENDIT_X_FILE` is the path: an environment is shown to more people."""


SETTINGS: dict[str, Setting] = {
    # where things are
    "VAR": Setting(
        "var", _folder, "a folder", "Where sendit keeps its database, keys, logs, outbox, store and warehouse."
    ),
    "DATA_BASE": Setting("data", _folder, "a folder", "The data folder: its sub-folders are the study folders."),
    "DATA_SUBFOLDER": Setting("", str, "a folder name", "A sub-folder of DATA_BASE to look in instead."),
    "DATA_INPUT_FOLDERS": Setting(
        (), _folders, "folders, comma-separated", "Folders whose sub-folders are study folders; over DATA_SUBFOLDER."
    ),
    "SECRETS": Setting(
        "", str, "a folder", "Where the site's keys are; empty is VAR/secrets. All hosts have the same."
    ),
    "DATABASE": Setting(
        "",
        str,
        "sqlite:///path or postgresql://user@host/name",
        "The database; empty is SQLite in VAR. A PostgreSQL URL may have any parameter of libpq's.",
        is_secret=True,
    ),
    # what is done to an image
    "STUDY_DEID": Setting("research", str, "a recipe's name or path", "The de-identification recipe."),
    "ANONYMIZE_RESTFUL": Setting(
        False, _flag, "true or false", "Ask the DASHER API for pseudonyms; false is the local keyed identity service."
    ),
    "IDENTITY_URL": Setting(
        "https://api.rit.stanford.edu/identifiers/api",
        endpoint,
        "https://…, or http://localhost…",
        "Where the DASHER API is, up to its `/v1`: Stanford's, or one that sendit serves.",
    ),
    "IDENTITY_SECONDS": Setting(
        10.0,
        _at_least(0.1, float),
        "seconds",
        "How long one question to the DASHER API may take before it is put again.",
    ),
    "IDENTITY_RETRY_SECONDS": Setting(
        15.0, _at_least(0, float), "seconds", "For how long it is put again; then the batch waits instead."
    ),
    "STANFORD_CLIENT_SECRETS": Setting(
        "",
        str,
        "a file",
        "The client-secrets file for the DASHER API. The variable is called so, without `SENDIT_`.",
        own_variable="STANFORD_CLIENT_SECRETS",
    ),
    "ANONYMIZE_PIXELS": Setting(False, _flag, "true or false", "Scrub pixels; not supported yet, must be false."),
    "ENTITY_ID": Setting("PatientID", str, "a keyword", "The attribute that identifies the patient."),
    "ITEM_ID": Setting("AccessionNumber", str, "a keyword", "The attribute that identifies the study."),
    "ENTITY_ID_SOURCE": Setting("Stanford MRN", str, "text", "The identity service's name for the patient's id."),
    "ITEM_ID_SOURCE": Setting("DCM Accession #", str, "text", "The identity service's name for the study's id."),
    "SOM_STUDY": Setting("test", str, "a name", "The collection that the identity service is asked for."),
    "MAX_DATE_SHIFT_DAYS": Setting(
        365, _at_least(1), "a number of days", "The local identity service shifts dates by 1 to this many days."
    ),
    # how it works
    "RUNNER": Setting(
        "embedded", _one_of("embedded", "celery"), "embedded or celery", "Who works: local processes, or Celery's."
    ),
    "BROKER": Setting(
        "redis://127.0.0.1:6379/0",
        str,
        "redis://host/number or rediss://",
        "The broker, which wakes Celery's workers.",
        is_secret=True,
    ),
    "WORKERS": Setting(os.cpu_count() or 1, _at_least(1), "a number", "Local worker processes."),
    "UPLOAD_WORKERS": Setting(10, _at_least(1), "a number", "Processes that upload_finished spreads batches over."),
    "LEASE_SECONDS": Setting(60, _at_least(1), "seconds", "A worker that is silent for so long is taken for dead."),
    "MAX_ATTEMPTS": Setting(3, _at_least(1), "a number", "How often a batch is taken up before it is an ERROR."),
    "RESCAN_SECONDS": Setting(30, _at_least(1), "seconds", "How often the watcher looks at every folder anew."),
    "SETTLE_SECONDS": Setting(
        0.5, _at_least(0, float), "seconds", "A folder written to within so many seconds is still being written."
    ),
    # delivery
    "SEND_TO_GOOGLE": Setting(True, _flag, "true or false", "Deliver; false lets batches rest at DONEPROCESSING."),
    "DELIVERY_DELAY_HOURS": Setting(
        0.0,
        _at_least(0, float),
        "hours",
        "Each batch rests at DONEPROCESSING for a random time up to so many hours; when it arrives then tells less.",
    ),
    "GOOGLE_CLOUD_STORAGE": Setting("", str, "a bucket", "Deliver to it and to BigQuery; empty is folders in VAR."),
    "GOOGLE_STORAGE_COLLECTION": Setting("IRB00000", str, "a name", "The collection: prefix of objects, dataset name."),
    "GOOGLE_PROJECT_NAME": Setting("", str, "a project", "The Google Cloud project; empty is the credentials' own."),
    "GOOGLE_LOCATION": Setting("US", str, "a location", "Where the BigQuery data set is made if it is not there."),
    "GOOGLE_APPLICATION_CREDENTIALS": Setting(
        "",
        str,
        "a file",
        "Google's credentials; empty is what Application Default Credentials find. Called so, without `SENDIT_`.",
        own_variable="GOOGLE_APPLICATION_CREDENTIALS",
    ),
    "STORAGE_EMULATOR_HOST": Setting(
        "",
        str,
        "a URL",
        "An emulator in Cloud Storage's place, for tests. Called so, without `SENDIT_`.",
        own_variable="STORAGE_EMULATOR_HOST",
    ),
    "BIGQUERY_EMULATOR_HOST": Setting(
        "",
        str,
        "a URL",
        "An emulator in BigQuery's place, for tests. Called so, without `SENDIT_`.",
        own_variable="BIGQUERY_EMULATOR_HOST",
    ),
    # afterwards
    "ORIGINALS": Setting(
        "keep", _one_of("keep", "delete"), "keep or delete", "What clean_up does with a DONE batch's study folder."
    ),
    "IDENTIFIERS": Setting(
        "keep", _one_of("keep", "purge"), "keep or purge", "What clean_up does with a DONE batch's identifiers."
    ),
    "SENTRY_DSN": Setting("", _dsn, "https://key@host/number", "Where alarms go; empty is nowhere.", is_secret=True),
    "LOG_FORMAT": Setting("text", _one_of("text", "json"), "text or json", "The form of log lines."),
}


def read_settings(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings that an environment makes; Misconfigured names a variable that is unknown or makes no sense."""
    names = {variable(name) for name in SETTINGS}
    files = {f"{variable(name)}_FILE" for name, setting in SETTINGS.items() if setting.is_secret}
    for name in environ:
        if name.startswith("SENDIT_") and name not in names | files:
            raise Misconfigured("UnknownSetting", subject=name)
    values = {}
    for name, setting in SETTINGS.items():
        text = _text(variable(name), environ)
        try:
            values[name] = setting.default if text is None else setting.parse(text)
        except (KeyError, ValueError):
            raise Misconfigured("BadSetting", subject=f"{variable(name)}: {setting.form}") from None
    return values


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return SETTINGS[name].own_variable or f"SENDIT_{name}"


def _text(variable: str, environ: Mapping[str, str]) -> str | None:
    """What the environment says of a setting, or the file that it names for it."""
    file = environ.get(f"{variable}_FILE")
    if file is None:
        return environ.get(variable)
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        raise Misconfigured("BadSetting", subject=f"{variable}_FILE: a file that can be read") from None


def _django_key() -> str:
    """The first secret that every command needs: who may not make or read it may do nothing."""
    try:
        return secret(SECRETS / "django.key", lambda: secrets.token_hex(32).encode()).decode()
    except (PermissionError, FileNotFoundError, NotADirectoryError, FileExistsError):
        named = variable("VAR" if SECRETS == VAR / "secrets" else "SECRETS")
        raise Misconfigured("FolderRefused", subject=named) from None


globals().update(read_settings(os.environ))
# What that makes, for the type checker; a test keeps the names equal.
DATA_SUBFOLDER: str
DATA_INPUT_FOLDERS: tuple[str, ...]
DATABASE: str
RUNNER: str
BROKER: str
STUDY_DEID: str
ANONYMIZE_RESTFUL: bool
IDENTITY_URL: str
IDENTITY_SECONDS: float
IDENTITY_RETRY_SECONDS: float
STANFORD_CLIENT_SECRETS: str
ANONYMIZE_PIXELS: bool
ENTITY_ID: str
ITEM_ID: str
ENTITY_ID_SOURCE: str
ITEM_ID_SOURCE: str
SOM_STUDY: str
MAX_DATE_SHIFT_DAYS: int
WORKERS: int
UPLOAD_WORKERS: int
LEASE_SECONDS: int
MAX_ATTEMPTS: int
RESCAN_SECONDS: int
SETTLE_SECONDS: float
SEND_TO_GOOGLE: bool
DELIVERY_DELAY_HOURS: float
GOOGLE_CLOUD_STORAGE: str
GOOGLE_STORAGE_COLLECTION: str
GOOGLE_PROJECT_NAME: str
GOOGLE_LOCATION: str
GOOGLE_APPLICATION_CREDENTIALS: str
STORAGE_EMULATOR_HOST: str
BIGQUERY_EMULATOR_HOST: str
ORIGINALS: str
IDENTIFIERS: str
LOG_FORMAT: str
SENTRY_DSN: str

VAR = Path(globals()["VAR"]).absolute()
DATA_BASE = Path(globals()["DATA_BASE"]).absolute()
SECRETS = Path(globals()["SECRETS"] or VAR / "secrets").absolute()
"""The keys of `sendit.keys`, and `django.key`; 0600."""
OUTBOX = VAR / "outbox"
"""What a batch has made and not yet delivered: `OUTBOX/<batch pk>/`."""
STORE = VAR / "store"
"""The folder object store."""
WAREHOUSE = VAR / "warehouse"
"""The Parquet warehouse."""
LOGS = VAR / "logs"

# Google's library asks for its bucket's metadata in a thread of its own, for traces, even where nobody collects any.
os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")

SECRET_KEY = _django_key()
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
INSTALLED_APPS = ["sendit.pipeline", "sendit.identity_service"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"


def database(url: str) -> dict[str, Any]:
    """Django's DATABASES entry for a URL; empty is SQLite in VAR."""
    scheme, _, path = (url or f"sqlite:///{VAR / 'sendit.sqlite3'}").partition("://")
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
A pool waits twice as long before each attempt to connect, until it gives up and begins anew: with psycopg's own five
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


DATABASES = {"default": database(globals()["DATABASE"])}
