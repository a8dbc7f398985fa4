"""The site's settings. Each is one field of `Site`, with its name, type, default and purpose.

A field `x` is the setting `X`, and its environment variable is `SENDIT_X` or, for a few, a name that another system
chose. Nothing else in the repository reads a setting from the environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from sendit.client_secrets import endpoint
from sendit.errors import Misconfigured, suggestion
from sendit.projects.parsing import at_least, flag, folder, folders, matching, name_of_host, one_of, urls
from sendit.projects.review_policy import FORM, policy_text

CONFIG = "SENDIT_CONFIG"
"""The variable that names the settings file (`projects.settings_file`); it is no setting itself."""

DSN = r"https?://[^@/\s]+@[^@/\s]+(/\S*)?/\d+"

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its default, how its text is read, what a legal text looks like, and what it is for."""

    default: Any
    parse: Callable[[str], Any]
    form: str
    about: str
    own_variable: str = ""
    """Its environment variable, if another system chose the name."""
    is_secret: bool = False
    """Whether `SENDIT_X_FILE` may name a file that holds it, because more people can see an environment."""
    is_path: bool = False
    """Whether it names a file or a folder; a relative one in a settings file is below that file's folder."""


def setting(
    default: Value,
    parse: Callable[[str], Value],
    form: str,
    about: str,
    *,
    own_variable: str = "",
    is_secret: bool = False,
    is_path: bool = False,
) -> Value:
    """Declare a field of `Site`. The repr leaves out a setting that may hold a password."""
    about_it = Setting(default, parse, form, about, own_variable, is_secret, is_path)
    return field(default=default, repr=not is_secret, metadata={"setting": about_it})


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The settings of a deployment."""

    # where things are
    var: Path = setting(  # noqa: RUF009 - makes a field
        Path("var"),
        folder,
        "a folder",
        "Where sendit keeps its database, keys, logs, outbox, store and warehouse.",
        is_path=True,
    )
    data_base: Path = setting(  # noqa: RUF009 - makes a field
        Path("data"), folder, "a folder", "The data folder: its sub-folders are the study folders.", is_path=True
    )
    data_subfolder: str = setting("", str, "a folder name", "A sub-folder of DATA_BASE to look in instead.")
    data_input_folders: tuple[str, ...] = setting(
        (), folders, "folders, comma-separated", "Folders whose sub-folders are study folders; over DATA_SUBFOLDER."
    )
    secrets: str = setting(
        "",
        str,
        "a folder",
        "Where the site's keys are; empty is VAR/secrets. All hosts need the same keys.",
        is_path=True,
    )
    database: str = setting(
        "",
        str,
        "sqlite:///path or postgresql://user@host/name",
        "The database; empty is SQLite in VAR. A PostgreSQL URL may have any parameter of libpq's.",
        is_secret=True,
    )
    projects: str = setting(
        "",
        str,
        "a folder",
        "Where the projects' files are, one TOML file each; empty is VAR/projects, which need not exist.",
        is_path=True,
    )
    # what is done to an image
    study_deid: str = setting("research", str, "a recipe's name or path", "The de-identification recipe.")
    anonymize_restful: bool = setting(
        False, flag, "true or false", "Ask the DASHER API for pseudonyms; false is the local keyed identity service."
    )
    identity_url: str = setting(
        "https://api.rit.stanford.edu/identifiers/api",
        endpoint,
        "https://…, or http://localhost…",
        "Where the DASHER API is, up to its `/v1`: Stanford's, or one that sendit serves.",
    )
    identity_seconds: float = setting(
        10.0,
        at_least(0.1, float),
        "seconds",
        "How long one request to the DASHER API may take before it is repeated.",
    )
    identity_retry_seconds: float = setting(
        15.0, at_least(0, float), "seconds", "For how long the request is repeated; then the batch waits instead."
    )
    stanford_client_secrets: str = setting(
        "",
        str,
        "a file",
        "The client-secrets file for the DASHER API. The name has no `SENDIT_` prefix.",
        own_variable="STANFORD_CLIENT_SECRETS",
        is_path=True,
    )
    anonymize_pixels: bool = setting(
        False,
        flag,
        "true or false",
        "Refuse a recipe that does not clean pixels; false leaves it to the recipe whether they are.",
    )
    pixel_regions: str = setting(
        "",
        str,
        "a file",
        "Where the site's own devices write into their images: a recipe with a graylist, or a script of CTP's "
        "DicomPixelAnonymizer (`.script`). It is read before the recipe.",
        is_path=True,
    )
    review: str = setting(
        "none",
        policy_text,
        FORM,
        "What waits for a reviewer: images that a graylist withholds or whose text is not surely gone (doubtful), and "
        "before a batch is delivered a sample of it, or all of it.",
    )
    pixel_text: str = setting(
        "blank",
        one_of("blank", "keep-measurements"),
        "blank or keep-measurements",
        "What becomes of text that is found in pixels: all of it is blanked, or what is surely read as a number, a "
        "unit or a side is left, unless it is a word of the study's own identifiers.",
    )
    entity_id: str = setting("PatientID", str, "a keyword", "The attribute that identifies the patient.")
    item_id: str = setting("AccessionNumber", str, "a keyword", "The attribute that identifies the study.")
    blank_patient_id: str = setting(
        "error",
        one_of("error", "folder", "accession"),
        "error, folder or accession",
        "What stands in for a blank Patient ID: nothing, the folder's name or the accession number.",
    )
    opt_out: str = setting(
        "",
        str,
        "a file's path",
        "A CSV file with a column PatientID or AccessionNumber, or with a Patient ID on each line: nothing of these is "
        "taken for any project, and withdraw --opt-out removes what was delivered before.",
    )
    several_study_uids: bool = setting(
        False, flag, "true or false", "Whether a study may have several Study Instance UIDs under one accession number."
    )
    entity_id_source: str = setting("Stanford MRN", str, "text", "The identity service's name for the patient's id.")
    item_id_source: str = setting("DCM Accession #", str, "text", "The identity service's name for the study's id.")
    item_id_source_uid: str = setting(
        "",
        str,
        "text",
        "DASHER's name for a Study Instance UID, which stands for a study's id where there is none; if this is empty, "
        "the folder's name does. The local identity service needs no name.",
    )
    som_study: str = setting("test", str, "a name", "The collection that the identity service is asked for.")
    max_date_shift_days: int = setting(
        365, at_least(1, int), "a number of days", "The local identity service shifts dates by 1 to this many days."
    )
    # how it works
    runner: str = setting(
        "embedded",
        one_of("embedded", "celery"),
        "embedded or celery",
        "Who processes batches: local processes or Celery's.",
    )
    broker: str = setting(
        "redis://127.0.0.1:6379/0",
        str,
        "redis://host/number or rediss://",
        "The broker, which wakes Celery's workers.",
        is_secret=True,
    )
    workers: int = setting(os.cpu_count() or 1, at_least(1, int), "a number", "Local worker processes.")
    upload_workers: int = setting(
        10, at_least(1, int), "a number", "Processes that upload_finished spreads batches over."
    )
    lease_seconds: int = setting(
        60, at_least(1, int), "seconds", "A worker that is silent for this long counts as dead."
    )
    host: str = setting(
        "",
        name_of_host,
        "a name",
        "What this host is called where several share the database; empty is a name that it keeps in VAR/host.",
    )
    host_gone_seconds: int = setting(
        3600,
        at_least(60, int),
        "seconds",
        "A host that is silent for this long is gone, and what it did not deliver is made again by another.",
    )
    max_attempts: int = setting(3, at_least(1, int), "a number", "How often a batch is tried before it is an ERROR.")
    rescan_seconds: int = setting(30, at_least(1, int), "seconds", "How often the watcher looks at every folder again.")
    settle_seconds: float = setting(
        60.0,
        at_least(0, float),
        "seconds",
        "The watcher takes a folder that rests for this long. One that is renamed from `.tmp` is taken at once.",
    )
    queue_settle_seconds: float = setting(
        5.0,
        at_least(0, float),
        "seconds",
        "`start_queue` takes a folder that rests for this long; it waits so long once, and leaves the others.",
    )
    # DICOM in
    listener_peers: str = setting(
        "", str, "a file", "Which application entities may send what where; empty is VAR/peers.toml."
    )
    listener_host: str = setting(
        "127.0.0.1", str, "an address", "Where the listener takes associations; 0.0.0.0 is every address of the host."
    )
    listener_port: int = setting(11112, at_least(0, int), "a number", "The listener's port.")
    listener_tls_certificate: str = setting(
        "",
        str,
        "a PEM file",
        "The listener's certificate, with its chain; if it is set, every association is over TLS.",
    )
    listener_tls_key: str = setting(
        "", str, "a PEM file", "The key of LISTENER_TLS_CERTIFICATE; empty is in the same file."
    )
    listener_tls_clients: str = setting(
        "",
        str,
        "a PEM file",
        "The authorities of peers' certificates; if it is set, a peer without such a certificate is refused.",
    )
    listener_quiet_seconds: float = setting(
        60.0,
        at_least(0, float),
        "seconds",
        "A study counts as complete when nothing has come for so long and no association that brought it is open.",
    )
    listener_cap_hours: float = setting(
        4.0, at_least(0, float), "hours", "A study is handed over this long after its first image, whatever is open."
    )
    listener_sync: str = setting(
        "image",
        one_of("image", "study"),
        "image or study",
        "What is on the disk before it is acknowledged: each image, or the study before it is handed over.",
    )
    listener_max_associations: int = setting(
        50, at_least(1, int), "a number", "Associations that may be open at a time; more are rejected for now."
    )
    listener_max_associations_per_address: int = setting(
        20, at_least(1, int), "a number", "Associations that one address may have open at a time."
    )
    listener_max_object_mb: int = setting(
        8192, at_least(1, int), "megabytes", "A larger image is refused with the status A700."
    )
    listener_min_free_mb: int = setting(
        1024,
        at_least(0, int),
        "megabytes",
        "With less free space in a data folder, images are refused with the status A700.",
    )
    listener_idle_seconds: float = setting(
        600.0, at_least(1, float), "seconds", "A peer that is silent for so long loses its association."
    )
    # delivery
    send_to_google: bool = setting(True, flag, "true or false", "Deliver; false lets batches rest at DONEPROCESSING.")
    delivery_delay_hours: float = setting(
        0.0,
        at_least(0, float),
        "hours",
        "Each batch rests at DONEPROCESSING for a random time of up to this many hours, so its arrival tells less.",
    )
    store: tuple[str, ...] = setting(
        (),
        urls,
        "URLs: folder, file:///…, gs://…, s3://…, az://…, sftp://…, dicom://…, dicomweb+https://…",
        "Where archives go, one URL or several; empty is the bucket GOOGLE_CLOUD_STORAGE, or else a folder in VAR.",
    )
    warehouse: str = setting(
        "",
        matching(r"parquet|bigquery://[a-z0-9.:-]*|postgresql://\S+"),
        "parquet, bigquery://project or postgresql://user@host/database",
        "Where rows go; empty is BigQuery where GOOGLE_CLOUD_STORAGE names a bucket, or else Parquet files in VAR.",
    )
    google_cloud_storage: str = setting(
        "", str, "a bucket", "Deliver to it and to BigQuery, unless STORE or WAREHOUSE says otherwise."
    )
    google_storage_collection: str = setting(
        "IRB00000", str, "a name", "The collection: prefix of objects, dataset name."
    )
    google_project_name: str = setting("", str, "a project", "The Google Cloud project; empty is the credentials' own.")
    google_location: str = setting("US", str, "a location", "Where a missing BigQuery data set is created.")
    google_application_credentials: str = setting(
        "",
        str,
        "a file",
        "Google's credentials; empty is what Application Default Credentials find. The name has no `SENDIT_` prefix.",
        own_variable="GOOGLE_APPLICATION_CREDENTIALS",
        is_path=True,
    )
    storage_emulator_host: str = setting(
        "",
        str,
        "a URL",
        "An emulator in Cloud Storage's place, for tests. The name has no `SENDIT_` prefix.",
        own_variable="STORAGE_EMULATOR_HOST",
    )
    bigquery_emulator_host: str = setting(
        "",
        str,
        "a URL",
        "An emulator in BigQuery's place, for tests. The name has no `SENDIT_` prefix.",
        own_variable="BIGQUERY_EMULATOR_HOST",
    )
    # afterwards
    originals: str = setting(
        "keep", one_of("keep", "delete"), "keep or delete", "What clean_up does with a DONE batch's study folder."
    )
    identifiers: str = setting(
        "keep", one_of("keep", "purge"), "keep or purge", "What clean_up does with a DONE batch's identifiers."
    )
    # the pages
    web_listen: str = setting(
        "127.0.0.1:8000",
        matching(r"\S+:\d{1,5}"),
        "address:port",
        "Where `sendit web` listens. Nothing is encrypted on the way: keep it on this machine, or behind a TLS proxy.",
    )
    web_url: str = setting(
        "",
        matching(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?"),
        "https://host",
        "The address in the browser, where a proxy stands before the pages; empty is WEB_LISTEN on this machine.",
    )
    web_session_minutes: int = setting(
        60, at_least(1, int), "minutes", "A session ends after so long without a click, and after 12 hours."
    )
    web_user_header: str = setting(
        "",
        matching(r"[A-Za-z][A-Za-z0-9-]{0,63}"),
        "a header, such as X-Remote-User",
        "The header in which a proxy names the user who has signed in there; empty is none. Needs WEB_PROXY_SECRET.",
    )
    web_proxy_secret: str = setting(
        "",
        matching(r"\S{16,}"),
        "16 characters or more",
        "What the proxy shows in X-Sendit-Proxy-Secret, without which the user header does not count.",
        is_secret=True,
    )
    # the papers
    require_approval: bool = setting(
        False,
        flag,
        "true or false",
        "Process a batch only while its project is approved as it is configured, with its recipe as it is.",
    )
    crosswalk_all: bool = setting(
        False, flag, "true or false", "Whether a crosswalk may be asked for that names no pseudonyms: all of a project."
    )
    sentry_dsn: str = setting(
        "", matching(DSN), "https://key@host/number", "Where alarms go; empty is nowhere.", is_secret=True
    )
    log_format: str = setting("text", one_of("text", "json"), "text or json", "The form of log lines.")

    def __post_init__(self) -> None:
        """Make paths absolute, so that they stay the same when a process changes its working folder."""
        object.__setattr__(self, "var", self.var.absolute())
        object.__setattr__(self, "data_base", self.data_base.absolute())

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Site:
        """Read the settings from an environment.

        Raises
        ------
        Misconfigured
            `UnknownSetting`: a `SENDIT_…` variable belongs to no setting. `BadSetting`: a value is invalid.
        """
        _ensure_known(environ)
        return cls(**{name.lower(): _value(name, entry, environ) for name, entry in SETTINGS.items()})

    @property
    def secrets_folder(self) -> Path:
        """The folder of the keys of `sendit.keys` and of `django.key`."""
        return Path(self.secrets or self.var / "secrets").absolute()

    @property
    def projects_folder(self) -> Path:
        """The folder of the projects' files."""
        return Path(self.projects or self.var / "projects").absolute()

    @property
    def outbox_folder(self) -> Path:
        """The folder for what batches have made and not yet delivered."""
        return self.var / "outbox"

    @property
    def store_folder(self) -> Path:
        """The root of the folder object store."""
        return self.var / "store"

    @property
    def warehouse_folder(self) -> Path:
        """The root of the Parquet warehouse."""
        return self.var / "warehouse"

    @property
    def logs_folder(self) -> Path:
        return self.var / "logs"


SETTINGS: dict[str, Setting] = {one.name.upper(): one.metadata["setting"] for one in fields(Site)}
"""Every setting by its name."""


def variable(name: str) -> str:
    """Return the name of a setting's environment variable."""
    return SETTINGS[name].own_variable or f"SENDIT_{name}"


VARIABLES: dict[str, str] = {variable(name): name for name in SETTINGS} | {
    f"{variable(name)}_FILE": name for name, entry in SETTINGS.items() if entry.is_secret
}
"""The setting that each environment variable belongs to."""


def _ensure_known(environ: Mapping[str, str]) -> None:
    for name in environ:
        if name.startswith("SENDIT_") and name not in VARIABLES and name != CONFIG:
            raise Misconfigured("UnknownSetting", subject=name + suggestion(name, [*VARIABLES, CONFIG]))


def _value(name: str, entry: Setting, environ: Mapping[str, str]) -> Any:
    text = _text(variable(name), environ)
    try:
        return entry.default if text is None else entry.parse(text)
    except (KeyError, ValueError):
        raise Misconfigured("BadSetting", subject=f"{variable(name)}: {entry.form}") from None


def _text(variable: str, environ: Mapping[str, str]) -> str | None:
    """Return a setting's text from the environment, or from the file that the environment names, or None."""
    file = environ.get(f"{variable}_FILE")
    if file is None:
        return environ.get(variable)
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        raise Misconfigured("BadSetting", subject=f"{variable}_FILE: a file that can be read") from None
