"""Makes the services of a project from its settings. This is the only module that chooses and imports adapters.

Each function imports its adapter itself, so that a command which only queries rows does not load a store's client.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sendit import keys
from sendit.adapters.s3.settings import S3Bucket
from sendit.adapters.sftp.settings import SftpFolder
from sendit.errors import Misconfigured
from sendit.projects.project import DEFAULT, BigQueryDataset, Bucket, Project, StoreFolder, default_project
from sendit.projects.site import Site

if TYPE_CHECKING:
    from sendit.deid.pseudonyms import Pseudonyms
    from sendit.deid.recipe.recipe import Recipe
    from sendit.ports import IdentityService, ObjectStore, Warehouse


def pseudonym_key(site: Site) -> bytes:
    """Return the site's secret key, which makes UIDs and the local identity service's answers."""
    return keys.load_known(site.secrets_folder, keys.KeyFile.PSEUDONYM, site.var)[0]


def pseudonyms(site: Site) -> Pseudonyms:
    from sendit.deid.pseudonyms import Pseudonyms

    return Pseudonyms(pseudonym_key(site))


def recipe(project: Project) -> Recipe:
    """Return the project's recipe. One that calls functions is refused, because a batch has none to offer."""
    loaded = any_recipe(project, project.recipe)
    if loaded.calls:
        raise Misconfigured("UnknownFunction", subject="SENDIT_STUDY_DEID: func: is for programs")
    return loaded


def any_recipe(project: Project, name: str) -> Recipe:
    """Return a recipe by name or path.

    Raises
    ------
    Misconfigured
        UnknownRecipe, BadRecipe; PixelsAreNotCleaned, MissingPackage: the project asks for clean pixels.
    """
    from sendit.deid.burned_in.detector import is_installed
    from sendit.deid.recipe.recipe import load_recipe

    loaded = load_recipe(name)
    if project.anonymize_pixels and not loaded.cleans_pixels:
        raise Misconfigured("PixelsAreNotCleaned", subject="SENDIT_ANONYMIZE_PIXELS")
    if project.anonymize_pixels and not is_installed():
        raise Misconfigured("MissingPackage", subject="SENDIT_ANONYMIZE_PIXELS: sendit[pixels]")
    return loaded


def identity_service(site: Site, project: Project) -> IdentityService:
    """Return the service that gives pseudonyms for patients and studies."""
    if not site.anonymize_restful:
        return local_identity_service(pseudonym_key(site), project.max_date_shift_days)
    try:
        from sendit.adapters.identity_dasher import DasherIdentityService
    except ImportError:
        raise Misconfigured("MissingPackage", subject="SENDIT_ANONYMIZE_RESTFUL: sendit[dasher]") from None
    secrets_file = Path(site.stanford_client_secrets)
    return DasherIdentityService(site.identity_url, secrets_file, site.identity_seconds, site.identity_retry_seconds)


def local_identity_service(key: bytes, max_date_shift_days: int) -> IdentityService:
    """Return the identity service that needs no server, with the given key."""
    from sendit.adapters.identity_local import LocalIdentityService

    return LocalIdentityService(key, max_date_shift_days)


def object_store(site: Site, project: Project) -> ObjectStore:
    """Return the store for archives."""
    store = project.store
    if isinstance(store, StoreFolder):
        from sendit.adapters.store_folder import FolderStore

        return FolderStore(store.path)
    if isinstance(store, S3Bucket):
        from sendit.adapters.s3.store import S3Store

        return S3Store(store)
    if isinstance(store, SftpFolder):
        from sendit.adapters.sftp.store import SftpStore

        return SftpStore(store)
    from sendit.adapters.store_gcs import GcsStore

    endpoint = site.storage_emulator_host
    return GcsStore(store.name, endpoint=endpoint, anonymous=_is_anonymous(site, project))


def warehouse(site: Site, project: Project) -> Warehouse:
    """Return the warehouse for rows."""
    rows = project.warehouse
    if isinstance(rows, BigQueryDataset):
        from sendit.adapters.warehouse_bigquery import BigQueryWarehouse

        return BigQueryWarehouse(
            rows.cloud_project,
            project.collection,
            rows.location,
            endpoint=site.bigquery_emulator_host,
            anonymous=_is_anonymous(site, project),
        )
    from sendit.adapters.warehouse_parquet import ParquetWarehouse

    return ParquetWarehouse(rows.path, project.collection)


def _is_anonymous(site: Site, project: Project) -> bool:
    """Return whether to send no credentials: all services in use are emulators, and no credentials are configured."""
    services = (
        (site.storage_emulator_host, isinstance(project.store, Bucket)),
        (site.bigquery_emulator_host, isinstance(project.warehouse, BigQueryDataset)),
    )
    is_emulated = all(host for host, is_in_use in services if is_in_use)
    return is_emulated and not site.google_application_credentials


@dataclass(frozen=True)
class Ports:
    """The services of one project, each made on first use: a delivery works even if the recipe cannot be read."""

    site: Site
    project: Project

    @cached_property
    def identity_service(self) -> IdentityService:
        return identity_service(self.site, self.project)

    @cached_property
    def object_store(self) -> ObjectStore:
        return object_store(self.site, self.project)

    @cached_property
    def warehouse(self) -> Warehouse:
        return warehouse(self.site, self.project)

    @cached_property
    def pseudonyms(self) -> Pseudonyms:
        return pseudonyms(self.site)

    @cached_property
    def recipe(self) -> Recipe:
        loaded = recipe(self.project)
        self.__dict__["_stamps"] = _stamps(loaded.files)
        return loaded

    def renew_recipe(self) -> None:
        """Have the recipe read again if one of its files was changed; for who begins with another batch."""
        known = self.__dict__.get("recipe")
        if known is not None and _stamps(known.files) != self.__dict__["_stamps"]:
            del self.__dict__["recipe"]


def _stamps(files: Iterable[str]) -> list[tuple[int, int, int] | None]:
    """What tells that a file is another one; None for one that is gone."""
    return [_stamp(file) for file in files]


def _stamp(file: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


class Projects:
    """All projects of a site, by name; made once in each process and passed down to what works for a project.

    Parameters
    ----------
    site : Site
        Its settings make the project `default`.
    others : iterable of Project
    """

    def __init__(self, site: Site, others: Iterable[Project] = ()) -> None:
        self.site = site
        self._ports = {project.name: Ports(site, project) for project in (default_project(site), *others)}

    @property
    def default(self) -> Ports:
        """Return the ports of the project that is made of the settings."""
        return self._ports[DEFAULT]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._ports)

    def of(self, name: str) -> Ports:
        """Return the ports of a project. Raises Misconfigured("UnknownProject") if the site has none of that name."""
        try:
            return self._ports[name]
        except KeyError:
            raise Misconfigured("UnknownProject", subject=name) from None
