"""Which adapters and which recipe are in use: the one place where settings choose them, and no room imports another."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from sendit import keys
from sendit.deid.pseudonyms import Pseudonyms
from sendit.deid.recipe.recipe import Recipe, load_recipe
from sendit.errors import Misconfigured
from sendit.ports import IdentityService, ObjectStore, Warehouse


def pseudonym_key() -> bytes:
    """The site's secret: UIDs and the local identity service's answers are made with it."""
    return keys.load_known(settings.SECRETS, keys.KeyFile.PSEUDONYM, settings.VAR)[0]


def make_keys_without_database() -> None:
    """The keys of a new site, for a command that asks no database; where one exists, keys that are missing are lost."""
    database = settings.DATABASES["default"]
    is_local = database["ENGINE"] == "django.db.backends.sqlite3"
    keys.make_without_database(settings.SECRETS, not is_local or Path(database["NAME"]).exists())


def pseudonyms() -> Pseudonyms:
    """The site's keyed UIDs."""
    return _pseudonyms(pseudonym_key())


def recipe() -> Recipe:
    """The recipe that STUDY_DEID names; one that calls functions is refused, for a batch has none to give it."""
    loaded = _recipe(settings.STUDY_DEID)
    if loaded.calls:
        raise Misconfigured("UnknownFunction", subject="SENDIT_STUDY_DEID: func: is for programs")
    return loaded


def identity_service() -> IdentityService:
    """Who answers with pseudonyms for patients and studies."""
    if settings.ANONYMIZE_RESTFUL:
        secrets_file = Path(settings.STANFORD_CLIENT_SECRETS)
        return _dasher(settings.IDENTITY_URL, secrets_file, settings.IDENTITY_SECONDS, settings.IDENTITY_RETRY_SECONDS)
    return local_identity_service(pseudonym_key())


def local_identity_service(key: bytes) -> IdentityService:
    """The local one, by the key given."""
    return _local(key, settings.MAX_DATE_SHIFT_DAYS)


def object_store() -> ObjectStore:
    """Where archives go."""
    if settings.GOOGLE_CLOUD_STORAGE:
        return _gcs(settings.GOOGLE_CLOUD_STORAGE, settings.STORAGE_EMULATOR_HOST, _is_anonymous())
    return _object_store(settings.STORE)


def warehouse() -> Warehouse:
    """Where rows go."""
    if settings.GOOGLE_CLOUD_STORAGE:
        where = (settings.GOOGLE_PROJECT_NAME, settings.GOOGLE_STORAGE_COLLECTION, settings.GOOGLE_LOCATION)
        return _bigquery(where, settings.BIGQUERY_EMULATOR_HOST, _is_anonymous())
    return _warehouse(settings.WAREHOUSE, settings.GOOGLE_STORAGE_COLLECTION)


def _is_anonymous() -> bool:
    """Emulators want no credentials; one that is given some is shown them all the same."""
    is_emulated = settings.STORAGE_EMULATOR_HOST and settings.BIGQUERY_EMULATOR_HOST
    return bool(is_emulated and not settings.GOOGLE_APPLICATION_CREDENTIALS)


_pseudonyms = cache(Pseudonyms)
_recipe = cache(load_recipe)


@cache
def _dasher(url: str, client_secrets: Path, call_seconds: float, retry_seconds: float) -> IdentityService:
    try:
        adapter = import_string("sendit.adapters.identity_dasher.DasherIdentityService")
    except ImportError:
        raise Misconfigured("MissingPackage", subject="SENDIT_ANONYMIZE_RESTFUL: sendit[dasher]") from None
    return cast(IdentityService, adapter(url, client_secrets, call_seconds, retry_seconds))


@cache
def _local(key: bytes, max_shift_days: int) -> IdentityService:
    return cast(
        IdentityService, import_string("sendit.adapters.identity_local.LocalIdentityService")(key, max_shift_days)
    )


@cache
def _object_store(folder: Path) -> ObjectStore:
    return cast(ObjectStore, import_string("sendit.adapters.store_folder.FolderStore")(folder))


@cache
def _warehouse(folder: Path, collection: str) -> Warehouse:
    return cast(Warehouse, import_string("sendit.adapters.warehouse_parquet.ParquetWarehouse")(folder, collection))


@cache
def _gcs(bucket: str, endpoint: str, anonymous: bool) -> ObjectStore:
    adapter = import_string("sendit.adapters.store_gcs.GcsStore")
    return cast(ObjectStore, adapter(bucket, endpoint=endpoint, anonymous=anonymous))


@cache
def _bigquery(where: tuple[str, str, str], endpoint: str, anonymous: bool) -> Warehouse:
    adapter = import_string("sendit.adapters.warehouse_bigquery.BigQueryWarehouse")
    return cast(Warehouse, adapter(*where, endpoint=endpoint, anonymous=anonymous))
