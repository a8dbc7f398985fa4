"""System checks: what is wrong with a deployment, with an id and a hint each.

What costs little runs before every command; `sendit check` runs everything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.db import DatabaseError

from sendit import keys
from sendit.adapters.folder.settings import StoreFolder
from sendit.adapters.gcs.settings import GcsBucket
from sendit.client_secrets import SecretsFile
from sendit.deid.burned_in.detector import is_installed
from sendit.errors import Misconfigured, SenditError
from sendit.ground.commands import BEFORE_EVERY_COMMAND
from sendit.pipeline.record import hosts
from sendit.projects import composition
from sendit.projects.composition import Ports, Projects, ensure_installed, ensure_usable
from sendit.projects.destinations import BigQueryDataset, StoreChoice, WarehouseFolder
from sendit.projects.project import Project
from sendit.projects.site import Site

if TYPE_CHECKING:
    from sendit.deid import Recipe  # with it comes pydicom, half a second of every command's start

DEVICE_FIELDS = frozenset({"StationName", "DeviceSerialNumber", "DeviceUID"})
KEEP_DEVICES = (
    "Station names and serial numbers go now, and Device UIDs become pseudonyms. To retain them, write a PROFILE line "
    "of your own in place of INCLUDE research. A rule for StationName, DeviceSerialNumber or DeviceUID ends this."
)


def of_each_project(check: Callable[[Ports], Iterable[CheckMessage]]) -> Callable[..., list[CheckMessage]]:
    """Make a check of all projects out of one of a project; the same message about several is given once."""

    def of_all(**_kwargs: Any) -> list[CheckMessage]:
        found: dict[tuple[str, str], CheckMessage] = {}
        for ports in _ports():
            for message in check(ports):
                found.setdefault((message.id or "", message.msg), message)
        return list(found.values())

    of_all.__name__, of_all.__doc__ = check.__name__, check.__doc__  # `wraps` would hide from Django that it takes more
    return of_all


def _ports() -> Iterator[Ports]:
    """Those of every project that can be worked for; what is wrong with the others is said by `projects`."""
    with suppress(Misconfigured):
        projects = Projects(settings.SITE)
        yield from [projects.of(name) for name in projects.names]


@register()
def projects(**_kwargs: Any) -> list[CheckMessage]:
    """Whether the projects' files can be understood, and say the names and the keys that the batches were made with."""
    from sendit.pipeline.reports.projects import wrong  # knows the models, which load after this module

    hint = "docs/projects.md says what a project's file holds, and what cannot change."
    try:
        found = wrong(Projects(settings.SITE))
    except Misconfigured as error:
        found = [error]
    except DatabaseError:  # it is away or not made yet, which another check says
        return []
    return [Error(str(error), hint=hint, id="sendit.E015") for error in found]


@register(BEFORE_EVERY_COMMAND)
@of_each_project
def clean_pixels(ports: Ports) -> Iterator[CheckMessage]:
    """Whether the recipe cleans pixels where ANONYMIZE_PIXELS asks for that."""
    if not ports.project.anonymize_pixels:
        return
    try:
        composition.recipe(ports.project)
    except Misconfigured as error:
        yield Error(str(error), hint="docs/pixels.md says what it needs.", id="sendit.E002")


@register(BEFORE_EVERY_COMMAND)
@of_each_project
def dasher(ports: Ports) -> Iterator[CheckMessage]:
    """What asking the DASHER API needs."""
    if not ports.site.anonymize_restful:
        return
    try:
        if find_spec("httpcore") is None:
            raise Misconfigured("MissingPackage", subject="SENDIT_ANONYMIZE_RESTFUL: sendit[dasher]")
        SecretsFile(Path(ports.site.stanford_client_secrets)).read()
    except Misconfigured as error:
        yield Error(str(error), hint="docs/identity.md says what it needs.", id="sendit.E001")


@register(BEFORE_EVERY_COMMAND)
@of_each_project
def google_cloud(ports: Ports) -> list[CheckMessage]:
    """What delivering to Google Cloud needs."""
    project = ports.project
    in_use = [one for one in (*project.stores, project.warehouse) if isinstance(one, GcsBucket | BigQueryDataset)]
    if not in_use:
        return []
    if not (_is_there("google.cloud.storage") and _is_there("google.cloud.bigquery")):
        says = f"{in_use[0].named_by} needs Google's libraries."
        return [Error(says, hint="pip install 'sendit[google]'", id="sendit.E003")]
    credentials = ports.site.google_application_credentials
    if credentials and not os.access(credentials, os.R_OK):
        says = "GOOGLE_APPLICATION_CREDENTIALS names no file that can be read."
        return [Error(says, hint="docs/google.md says what it is.", id="sendit.E005")]
    return []


@register(BEFORE_EVERY_COMMAND)
@of_each_project
def destinations_extra(ports: Ports) -> Iterator[CheckMessage]:
    """Whether what speaks to the destinations is installed."""
    return _complaints(ports, ensure_installed, "sendit.E012")


@register()
@of_each_project
def destinations(ports: Ports) -> Iterator[CheckMessage]:
    """Whether each destination can be reached with the credentials that are there."""
    return _complaints(ports, ensure_usable, "sendit.E013")


def _complaints(ports: Ports, ask: Callable[[Site, Project, StoreChoice], None], id_: str) -> Iterator[CheckMessage]:
    project = ports.project
    for choice in project.stores:
        try:
            ask(ports.site, project, choice)
        except SenditError as error:
            says = f"{choice.name}: {error}" if len(project.stores) > 1 else str(error)
            yield Error(says, hint="docs/destinations.md says what it needs.", id=id_)


@register()
@of_each_project
def hosts_share(ports: Ports) -> list[CheckMessage]:
    """With several hosts, the store and the warehouse are where all of them reach them."""
    project, var = ports.project, settings.SITE.var.absolute()
    inside = {
        "STORE": any(
            isinstance(one, StoreFolder) and one.path.absolute().is_relative_to(var) for one in project.stores
        ),
        "WAREHOUSE": isinstance(project.warehouse, WarehouseFolder)
        and project.warehouse.path.absolute().is_relative_to(var),
    }
    if not any(inside.values()):
        return []
    try:
        known = hosts.known()
    except DatabaseError:  # it is away or not made yet, which another check says
        return []
    if len(known) < 2:
        return []
    hint = (
        "VAR belongs to one host. Name a bucket, or a folder that all hosts share: docs/operations.md, Several hosts."
    )
    return [
        Error(f"SENDIT_{name} is inside VAR, but {len(known)} hosts share the database.", hint=hint, id="sendit.E014")
        for name, is_inside in inside.items()
        if is_inside
    ]


@register()
@of_each_project
def recipe(ports: Ports) -> list[CheckMessage]:
    """Whether the recipe can be understood."""
    try:
        chosen = composition.recipe(ports.project)
    except Misconfigured as error:
        hint = "SENDIT_STUDY_DEID names the recipe, or the project's file."
        return [Error(str(error), hint=hint, id="sendit.E006")]
    return [*_device_identity(chosen), *_pixels(chosen)]


def _pixels(chosen: Recipe) -> Iterator[CheckMessage]:
    """A recipe that cleans pixels where that cannot be done."""
    if chosen.cleans_pixels and not is_installed():
        says = "The recipe cleans pixels; without sendit[pixels] the images that it looks at are withheld."
        yield Warning(says, hint="pip install 'sendit[pixels]'", id="sendit.W005")


def _device_identity(chosen: Recipe) -> Iterator[CheckMessage]:
    """A recipe built on `research` that does not say itself what becomes of devices."""
    builds_on_research = chosen.profile_of == "research" != chosen.name
    if builds_on_research and not any(rule.field in DEVICE_FIELDS for rule in chosen.rules if not rule.of_profile):
        says = "The recipe builds on research, which no longer chooses Retain Device Identity."
        yield Warning(says, hint=KEEP_DEVICES, id="sendit.W004")


@register()
@of_each_project
def data_folders(ports: Ports) -> list[CheckMessage]:
    """Whether the data folders are there; a watcher waits for one that is not mounted yet."""
    from sendit.pipeline.intake.contenders import existing  # knows the models, which load after this module

    try:
        existing(ports.project.data_folders)
    except Misconfigured as error:
        return [Warning(str(error), hint="A watcher waits for it.", id="sendit.W001")]
    return []


@register()
@of_each_project
def true_times(ports: Ports) -> list[CheckMessage]:
    """Whether rows that an earlier version delivered tell true times."""
    try:
        rows = ports.warehouse.count_times()
    except SenditError as error:
        says = f"The warehouse cannot say whether its rows tell true times. {error}"
        return [Warning(says, hint="Run `sendit check` again when it answers.", id="sendit.W003")]
    if not rows:
        return []
    says = f"Rows of the warehouse tell when their batch was processed, and so the date shift: {rows:,}."
    return [Warning(says, hint="Run `sendit remove_times`, once.", id="sendit.W002")]


@register()
def site_keys(**_kwargs: Any) -> list[CheckMessage]:
    """Whether the keys are those that this VAR remembers, and nobody else's to read."""
    found: list[CheckMessage] = []
    try:
        keys.ensure_made(settings.SITE.secrets_folder, settings.SITE.var, settings.SETTINGS_FILE)
    except Misconfigured as error:
        found.append(Error(str(error), hint="docs/operations.md, “Keys”, says more.", id="sendit.E011"))
    for file in keys.present(settings.SITE.secrets_folder) | keys.Memory.read(settings.SITE.var).proofs.keys():
        try:
            keys.load_known(settings.SITE.secrets_folder, file, settings.SITE.var)
        except Misconfigured as error:
            found.append(Error(str(error), hint="docs/operations.md, “Keys”, says what to do.", id="sendit.E010"))
    for name in keys.open_to_others(settings.SITE.secrets_folder):
        says = f"Others than its owner may read or change {'SECRETS' if name == '.' else name}."
        found.append(Warning(says, hint="chmod go= takes that from them.", id="sendit.W010"))
    return found


@register()
def open_projects(**_kwargs: Any) -> list[CheckMessage]:
    """Whether others than its owner and group may write to a project's file, and so decide where its studies go."""
    folder = settings.SITE.projects_folder
    files = sorted(folder.glob("*.toml")) if folder.is_dir() else []
    is_open = [path for path in (folder, *files) if path.exists() and path.stat().st_mode & 0o002]
    return [
        Warning(f"Everybody on this host may change {path.name}.", hint="chmod o-w takes that away.", id="sendit.W012")
        for path in is_open
    ]


@register()
def open_folders(**_kwargs: Any) -> list[CheckMessage]:
    """Whether everybody on this host may look into what sendit keeps."""
    site = settings.SITE
    folders = {
        "VAR": site.var,
        "VAR/outbox": site.outbox_folder,
        "VAR/logs": site.logs_folder,
        "VAR/store": site.store_folder,
        "VAR/warehouse": site.warehouse_folder,
    }
    return [
        Warning(
            f"Everybody on this host may read or change {name}.", hint="chmod o= takes that away.", id="sendit.W011"
        )
        for name, folder in folders.items()
        if folder.is_dir() and folder.stat().st_mode & 0o007
    ]


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # nor is what it is in
        return False
