"""Where the archives and the rows of a project go: URLs, and what they mean."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from sendit.adapters.azure import settings as azure
from sendit.adapters.azure.settings import AzureContainer
from sendit.adapters.dicom import settings as dicom
from sendit.adapters.dicom.settings import DicomPeer
from sendit.adapters.dicomweb import settings as dicomweb
from sendit.adapters.dicomweb.settings import DicomwebService
from sendit.adapters.folder import settings as folder
from sendit.adapters.folder.settings import StoreFolder
from sendit.adapters.gcs import settings as gcs
from sendit.adapters.gcs.settings import GcsBucket
from sendit.adapters.postgresql import settings as postgresql
from sendit.adapters.postgresql.settings import PostgresqlDatabase
from sendit.adapters.s3 import settings as s3
from sendit.adapters.s3.settings import S3Bucket
from sendit.adapters.sftp import settings as sftp
from sendit.adapters.sftp.settings import SftpFolder
from sendit.errors import Misconfigured
from sendit.projects.site import Site, variable

IN_VAR = "folder"
"""What is said instead of a URL for the folder in VAR; also its name."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+:/@-]{0,254}")
_BIGQUERY = re.compile(r"bigquery://([a-z0-9.:-]*)")


@dataclass(frozen=True, slots=True)
class WarehouseFolder:
    """Rows go into Parquet files below a folder."""

    path: Path


@dataclass(frozen=True, slots=True)
class BigQueryDataset:
    """Rows go into BigQuery. An empty `cloud_project` is the one that the credentials name."""

    cloud_project: str
    location: str
    named_by: str


Pacs = DicomPeer | DicomwebService
"""What takes images, and gives no archives back."""
StoreChoice = StoreFolder | GcsBucket | S3Bucket | AzureContainer | SftpFolder | Pacs
WarehouseChoice = WarehouseFolder | BigQueryDataset | PostgresqlDatabase

PARSERS: dict[str, Callable[[str, str], StoreChoice]] = {
    folder.SCHEME: folder.parse,
    gcs.SCHEME: gcs.parse,
    s3.SCHEME: s3.parse,
    azure.SCHEME: azure.parse,
    sftp.SCHEME: sftp.parse,
    dicom.SCHEME: dicom.parse,
    dicomweb.SCHEME: dicomweb.parse,
    dicomweb.SCHEME_WITHOUT_TLS: dicomweb.parse,
}
"""What reads a URL, by its scheme."""

FORMS = (IN_VAR, folder.FORM, gcs.FORM, s3.FORM, azure.FORM, sftp.FORM, dicom.FORM, dicomweb.FORM)


def parse_store(url: str, named_by: str, site: Site) -> StoreChoice:
    """Return where archives go.

    Its name, under which the deliveries to it are kept, is the URL without options, accounts and secrets, or what
    stands behind a `#`.

    Parameters
    ----------
    url : str
        `folder`, or a URL of one of the forms in `FORMS`.
    named_by : str
        The setting, or the file and key, that an error names.
    site : Site

    Raises
    ------
    Misconfigured
        `BadSetting`: the URL has another form.
    """
    place, has_name, name = url.partition("#")
    parse = PARSERS.get(place.partition("://")[0])
    if place == IN_VAR:
        choice: StoreChoice = StoreFolder(path=site.store_folder, name=IN_VAR, named_by=named_by)
    elif parse is None:
        raise Misconfigured("BadSetting", subject=f"{named_by}: {', '.join(form.partition('?')[0] for form in FORMS)}")
    else:
        choice = parse(place, named_by)
    if has_name and not _NAME.fullmatch(name):
        raise Misconfigured("BadSetting", subject=f"{named_by}: a name of letters, digits and ._+:/@- behind the #")
    return replace(choice, name=name) if has_name else choice


def parse_stores(urls: Iterable[str], named_by: str, site: Site) -> tuple[StoreChoice, ...]:
    """Return the destinations of a project, each as `parse_store` does.

    Raises
    ------
    Misconfigured
        `BadSetting`: a URL has another form, or two destinations have one name.
    """
    choices = tuple(parse_store(url, named_by, site) for url in urls)
    twice = [name for name, times in Counter(choice.name for choice in choices).items() if times > 1]
    if twice:
        raise Misconfigured("BadSetting", subject=f"{named_by}: {twice[0]} once, or a name of its own behind a #")
    return choices


def parse_warehouse(url: str, named_by: str, site: Site) -> WarehouseChoice:
    """Return where rows go: `parquet`, `bigquery://project`, or `postgresql://user@host/database`.

    Raises
    ------
    Misconfigured
        `BadSetting`: it has another form.
    """
    if url == "parquet":
        return WarehouseFolder(site.warehouse_folder)
    if url.startswith(f"{postgresql.SCHEME}://"):
        return postgresql.parse(url, named_by)
    found = _BIGQUERY.fullmatch(url)
    if found is None:
        raise Misconfigured("BadSetting", subject=f"{named_by}: parquet, bigquery://project or {postgresql.FORM}")
    return BigQueryDataset(found[1] or site.google_project_name, site.google_location, named_by)


Naming = Callable[[str], str]
"""What an error calls a setting, by the setting's name: its variable, or the key of a project's file."""


def stores_of(site: Site, naming: Naming = variable) -> tuple[StoreChoice, ...]:
    """Return the destinations that the settings name."""
    if not site.store and site.google_cloud_storage:
        bucket = site.google_cloud_storage
        return (GcsBucket(bucket=bucket, name=f"{gcs.SCHEME}://{bucket}", named_by=naming("GOOGLE_CLOUD_STORAGE")),)
    return parse_stores(site.store or (IN_VAR,), naming("STORE"), site)


def warehouse_of(site: Site, naming: Naming = variable) -> WarehouseChoice:
    """Return the warehouse that the settings name."""
    if not site.warehouse and site.google_cloud_storage:
        return parse_warehouse("bigquery://", naming("GOOGLE_CLOUD_STORAGE"), site)
    return parse_warehouse(site.warehouse or "parquet", naming("WAREHOUSE"), site)
