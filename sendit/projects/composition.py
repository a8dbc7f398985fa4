"""Makes the services of a project from its settings. This is the only module that chooses and imports adapters.

Each function imports its adapter itself, so that a command which only queries rows does not load a store's client.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from sendit import keys
from sendit.adapters.azure.settings import AzureContainer
from sendit.adapters.dicom.settings import DicomPeer
from sendit.adapters.dicomweb.settings import DicomwebService
from sendit.adapters.folder.settings import StoreFolder
from sendit.adapters.gcs.settings import GcsBucket
from sendit.adapters.postgresql.settings import PostgresqlDatabase
from sendit.adapters.s3.settings import S3Bucket
from sendit.adapters.sftp.settings import SftpFolder
from sendit.errors import Misconfigured
from sendit.projects import catalogue
from sendit.projects.catalogue import Catalogue, Stamps
from sendit.projects.destinations import BigQueryDataset, Pacs, StoreChoice
from sendit.projects.project import DEFAULT, Claims, DataFolder, Project
from sendit.projects.project_file import Configured
from sendit.projects.site import Site

if TYPE_CHECKING:
    from sendit.deid.pseudonyms import Pseudonyms
    from sendit.deid.recipe.filters import Check
    from sendit.deid.recipe.recipe import Recipe
    from sendit.deid.recipe.screen import Screen
    from sendit.papers.signing import SigningKey
    from sendit.ports import Destination, IdentityService, ObjectStore, Warehouse


def pseudonym_key(site: Site) -> bytes:
    """Return the site's secret key, which makes UIDs and the local identity service's answers."""
    return keys.load_known(site.secrets_folder, keys.KeyFile.PSEUDONYM, site.var)[0]


def project_key(site: Site, project: Project) -> bytes:
    """Return the secret key of a project, which makes its UIDs and its local identity service's answers."""
    return project.key.of(pseudonym_key(site))


def pseudonyms(site: Site, project: Project) -> Pseudonyms:
    from sendit.deid.pseudonyms import Pseudonyms

    return Pseudonyms(project_key(site, project))


def signing_key(site: Site) -> SigningKey:
    """Return the key that signs the statements of deliveries."""
    from sendit.papers.signing import SigningKey

    return SigningKey.of_line(keys.load_known(site.secrets_folder, keys.KeyFile.SIGNING, site.var)[0])


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
        return local_identity_service(project_key(site, project), project.max_date_shift_days)
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


def object_store(site: Site, project: Project, choice: StoreChoice) -> Destination:
    """Return one of the project's destinations."""
    match choice:
        case DicomPeer():
            from sendit.adapters.dicom.store import DicomStore

            return DicomStore(choice)
        case DicomwebService():
            from sendit.adapters.dicomweb.store import DicomwebStore

            return DicomwebStore(choice)
        case StoreFolder():
            from sendit.adapters.folder.store import FolderStore

            return FolderStore(choice.path)
        case S3Bucket():
            from sendit.adapters.s3.store import S3Store

            return S3Store(choice)
        case AzureContainer():
            from sendit.adapters.azure.store import AzureStore

            return AzureStore(choice)
        case SftpFolder():
            from sendit.adapters.sftp.store import SftpStore

            return SftpStore(choice)
        case GcsBucket():
            from sendit.adapters.gcs.store import GcsStore

            return GcsStore(in_google_cloud(site, project, choice))


def in_google_cloud(site: Site, project: Project, choice: GcsBucket) -> GcsBucket:
    """Return the bucket with what the settings say of Google Cloud, or of an emulator in its place."""
    return replace(choice, endpoint=site.storage_emulator_host, is_anonymous=_is_anonymous(site, project))


def ensure_installed(_site: Site, _project: Project, choice: StoreChoice) -> None:
    """Raise Misconfigured `MissingExtra` if what speaks to the store is not installed."""
    _checks_of(choice).ensure_installed()


def ensure_usable(site: Site, project: Project, choice: StoreChoice) -> None:
    """Raise what delivering to the store would raise, if it cannot be reached with the credentials that are there."""
    whole = in_google_cloud(site, project, choice) if isinstance(choice, GcsBucket) else choice
    _checks_of(choice).ensure_usable(whole)


class _Checks(Protocol):
    def ensure_installed(self) -> None: ...
    def ensure_usable(self, choice: Any, /) -> None: ...


def _checks_of(choice: StoreChoice) -> _Checks:
    """The module `checks` beside the `settings` of which the choice is."""
    return cast(_Checks, import_module(f"{type(choice).__module__.rpartition('.')[0]}.checks"))


def warehouse(site: Site, project: Project) -> Warehouse:
    """Return the warehouse for rows."""
    rows = project.warehouse
    if isinstance(rows, PostgresqlDatabase):
        from sendit.adapters.postgresql.warehouse import PostgresqlWarehouse

        return PostgresqlWarehouse(rows, project.collection)
    if isinstance(rows, BigQueryDataset):
        from sendit.adapters.bigquery.warehouse import BigQueryWarehouse

        return BigQueryWarehouse(
            rows.cloud_project,
            project.collection,
            rows.location,
            endpoint=site.bigquery_emulator_host,
            anonymous=_is_anonymous(site, project),
        )
    from sendit.adapters.parquet.warehouse import ParquetWarehouse

    return ParquetWarehouse(rows.path, project.collection)


def _is_anonymous(site: Site, project: Project) -> bool:
    """Return whether to send no credentials: all services in use are emulators, and no credentials are configured."""
    services = (
        (site.storage_emulator_host, any(isinstance(choice, GcsBucket) for choice in project.stores)),
        (site.bigquery_emulator_host, isinstance(project.warehouse, BigQueryDataset)),
    )
    is_emulated = all(host for host, is_in_use in services if is_in_use)
    return is_emulated and not site.google_application_credentials


REST_SECONDS = 30.0
"""How long a process leaves a destination alone that was down, where there are others to deliver to."""
OF_ONE = "store"
"""What versions that knew one destination called it."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Why a destination is left alone, and for how much longer."""

    code: str
    seconds: float


class Stores:
    """The destinations of a project by name, each made on first use, and which of them this process lets rest."""

    def __init__(self, site: Site, project: Project) -> None:
        self._site, self._project = site, project
        self._choices = {choice.name: choice for choice in project.stores}
        self._made: dict[str, Destination] = {}
        self._rests: dict[str, tuple[str, float]] = {}

    def has(self, name: str) -> bool:
        """Whether the project has a destination of that name."""
        return name in self._choices or name == OF_ONE

    def of(self, name: str) -> Destination:
        """Return the destination. Raises Misconfigured("UnknownDestination") if the project has none of that name."""
        if not self.has(name):
            raise Misconfigured("UnknownDestination", subject=name)
        if name not in self._made:
            choice = self._choices.get(name) or self._project.stores[0]
            self._made[name] = object_store(self._site, self._project, choice)
        return self._made[name]

    @property
    def main(self) -> ObjectStore:
        """Return the first that gives archives back. Raises Misconfigured("NoStore") if none does."""
        return self.that_has(self._choices)

    def that_has(self, names: Iterable[str]) -> ObjectStore:
        """Return the first of these that gives archives back. Raises Misconfigured("NoStore") if none does."""
        for name in names:
            if self.has(name) and not isinstance(self._choices.get(name, self._project.stores[0]), Pacs):
                return cast("ObjectStore", self.of(name))
        raise Misconfigured("NoStore")

    def let_rest(self, name: str, code: str) -> None:
        """Leave a store alone for a while: who waits for its answer serves no other one."""
        self._rests[name] = code, time.monotonic() + REST_SECONDS

    def rest_of(self, name: str) -> Rest | None:
        """Return for how much longer a store is left alone."""
        code, until = self._rests.get(name, ("", 0.0))
        left = until - time.monotonic()
        return Rest(code, left) if left > 0 else None


@dataclass(frozen=True)
class Ports:
    """The services of one project, each made on first use: a delivery works even if the recipe cannot be read.

    `site` are the settings as they are for the project, where its file says something else than the site's.
    """

    site: Site
    project: Project

    @cached_property
    def identity_service(self) -> IdentityService:
        return identity_service(self.site, self.project)

    @cached_property
    def stores(self) -> Stores:
        return Stores(self.site, self.project)

    @property
    def object_store(self) -> ObjectStore:
        """The first of them from which archives can be read back."""
        return self.stores.main

    @cached_property
    def warehouse(self) -> Warehouse:
        return warehouse(self.site, self.project)

    @cached_property
    def pseudonyms(self) -> Pseudonyms:
        return pseudonyms(self.site, self.project)

    @cached_property
    def signing_key(self) -> SigningKey:
        return signing_key(self.site)

    @cached_property
    def recipe(self) -> Recipe:
        loaded = recipe(self.project)
        self.__dict__["_stamps"] = _stamps(loaded.files)
        return loaded

    @cached_property
    def takes(self) -> tuple[Check, ...]:
        """The criteria of which one has to fit an image that is the project's; none for all images."""
        from sendit.deid.recipe.filters import parse_check

        return tuple(parse_check(line, lenient=False)[0] for line in self.project.takes)

    @cached_property
    def screen(self) -> Screen:
        """The recipe's filters and the project's own, which remember what they said of headers that are alike."""
        from sendit.deid.recipe.screen import Screen

        return Screen(self.recipe, self.takes)

    def renew_recipe(self) -> None:
        """Have the recipe read again if one of its files was changed. A worker calls it before each batch."""
        known = self.__dict__.get("recipe")
        if known is not None and _stamps(known.files) != self.__dict__["_stamps"]:
            del self.__dict__["recipe"]
            self.__dict__.pop("screen", None)


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

    A project's file that has changed is read again when the next one asks. A project that is the same keeps its ports.

    Parameters
    ----------
    site : Site
        Its settings make the project `default`, and name the folder of the others.
    others : iterable of Project
        Projects without a file.
    """

    def __init__(self, site: Site, others: Iterable[Project] = ()) -> None:
        self.site = site
        self._others = {project.name: Ports(site, project) for project in others}
        self._read: dict[str, Ports] = {}
        self._known: tuple[Stamps, Catalogue] | None = None

    @property
    def default(self) -> Ports:
        """Return the ports of the project that every site has. Raises as `of`."""
        return self.of(DEFAULT)

    @property
    def names(self) -> tuple[str, ...]:
        """The projects that can be worked for."""
        return tuple(self._ports)

    @property
    def refused(self) -> dict[str, Misconfigured]:
        """What is wrong with the projects that cannot be worked for."""
        found = self._catalogue().refused
        return {name: Misconfigured("BadProject", subject=why) for name, why in sorted(found.items())}

    @property
    def claims(self) -> dict[str, Claims]:
        """What part of the work each of them gets."""
        return {name: ports.project.claims for name, ports in self._ports.items()}

    @property
    def data_folders(self) -> Iterator[tuple[str, DataFolder]]:
        """Every project's data folders, with the project's name."""
        for name, ports in self._ports.items():
            yield from ((name, folder) for folder in ports.project.data_folders)

    def of(self, name: str) -> Ports:
        """Return the ports of a project.

        Raises
        ------
        Misconfigured
            `UnknownProject`: the site has none of that name. `BadProject`: its file is wrong.
        """
        found = self._ports.get(name)
        if found is not None:
            return found
        if error := self.refused.get(name):
            raise error
        raise Misconfigured("UnknownProject", subject=name)

    @property
    def _ports(self) -> dict[str, Ports]:
        configured = self._catalogue().configured
        return {name: self._read[name] for name in configured} | self._others

    def _catalogue(self) -> Catalogue:
        stamps = catalogue.stamps(self.site)
        if self._known is None or self._known[0] != stamps:
            self._known = stamps, catalogue.load(self.site, stamps)
            self._read = {name: self._kept(name, one) for name, one in self._known[1].configured.items()}
        return self._known[1]

    def _kept(self, name: str, configured: Configured) -> Ports:
        known = self._read.get(name)
        if known and (known.site, known.project) == (configured.site, configured.project):
            return known
        return Ports(configured.site, configured.project)
