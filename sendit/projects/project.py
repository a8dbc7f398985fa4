"""A project: the recipe for its studies, the names for requests to the identity service, and where studies go."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sendit.projects.derived_keys import SITE_KEY, ProjectKey
from sendit.projects.destinations import Naming, StoreChoice, WarehouseChoice, WarehouseFolder, stores_of, warehouse_of
from sendit.projects.review_policy import NO_REVIEW, ReviewPolicy
from sendit.projects.roles import Role
from sendit.projects.site import Site, variable

LOCAL_UID_SOURCE = "DICOM Study Instance UID"
"""What the local identity service is told of a Study Instance UID: no accession number has its pseudonyms."""

DEFAULT = "default"
"""The project that every site has; it is made of the site's settings."""

LOCAL = "local"
"""The identity service that needs no server."""


class BlankPatientID(StrEnum):
    """What stands in for a Patient ID that is blank."""

    ERROR = "error"
    """Nothing: the image is an error."""
    FOLDER = "folder"
    ACCESSION = "accession"


class PixelText(StrEnum):
    """What becomes of text that is found in pixels."""

    BLANK = "blank"
    KEEP_MEASUREMENTS = "keep-measurements"


@dataclass(frozen=True, slots=True)
class IdentityNames:
    """The attributes that hold the ids, and the identity service's names for these ids and for the collection."""

    study: str
    entity_keyword: str
    entity_source: str
    item_keyword: str
    item_source: str
    item_source_uid: str = ""
    """The name for a Study Instance UID, for a study without its id; blank where the folder's name serves."""
    blank_entity: BlankPatientID = BlankPatientID.ERROR
    several_study_uids: bool = False
    """Whether a study, by its pseudonym, may have several Study Instance UIDs."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """A folder whose sub-folders are study folders; `named_by` is the setting or option that an error names."""

    named_by: str
    path: Path


@dataclass(frozen=True, slots=True)
class Routing:
    """The AE titles by which images that peers send are a project's; any title where none is named."""

    called: tuple[str, ...] = ()
    calling: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.called or self.calling)

    def fits(self, called: str, calling: str) -> bool:
        """Return whether what comes from one title to the other is meant; nothing is, where no title is named."""
        is_called, is_calling = not self.called or called in self.called, not self.calling or calling in self.calling
        return bool(self) and is_called and is_calling

    @property
    def precision(self) -> int:
        """How much it asks: where several fit, the most precise one counts; the called title is the more precise."""
        return 2 * bool(self.called) + bool(self.calling)

    def may_meet(self, other: Routing) -> bool:
        """Return whether one image may fit both, and neither is the more precise one."""
        pairs = ((self.called, other.called), (self.calling, other.calling))
        meet = all(not one or not two or set(one) & set(two) for one, two in pairs)
        return bool(self and other) and self.precision == other.precision and meet


NOWHERE = Routing()


@dataclass(frozen=True, slots=True)
class Claims:
    """What part of the work a project gets while others wait, too."""

    share: int = 1
    priority: int = 0


USUAL_CLAIMS = Claims()


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What is done to the studies of one project.

    Attributes
    ----------
    name : str
        The value of `Batch.project`.
    recipe : str
        A recipe's name or path, or several with commas between.
    collection : str
        The prefix of the project's objects and the name of its data set.
    max_date_shift_days : int
        The local identity service shifts dates by 1 to this many days.
    anonymize_pixels : bool
        Whether the recipe has to be one that cleans pixels.
    pixel_text : PixelText
        What becomes of text that is found in pixels.
    stores : tuple of StoreChoice
        Every archive goes to each of them. Archives are read back from the first.
    title : str
        What people read beside the name.
    key : ProjectKey
        Whose key makes its pseudonyms.
    identity_service : str
        The address of its identity service, or `local`.
    people : tuple of (Role, str)
        The roles in the project, each with a user's name.
    takes : tuple of str
        Criteria of which one has to fit an image that is the project's; none for all images.
    allow_list, opt_out : str
        The files of those who alone are the project's, and of those who opted out of it; empty is none.
    routing : Routing
        What peers send that lands in the first of its data folders.
    claims : Claims
        What part of the work it gets.
    fingerprint : str
        The digest of all that decides what becomes of its studies.
    review : ReviewPolicy
        Which images wait for a person.
    """

    name: str
    title: str = ""
    key: ProjectKey = SITE_KEY
    recipe: str
    collection: str
    identity_service: str = LOCAL
    identity: IdentityNames
    max_date_shift_days: int
    anonymize_pixels: bool = False
    pixel_text: PixelText = PixelText.BLANK
    review: ReviewPolicy = NO_REVIEW
    data_folders: tuple[DataFolder, ...]
    people: tuple[tuple[Role, str], ...] = ()
    takes: tuple[str, ...] = ()
    allow_list: str = ""
    opt_out: str = ""
    routing: Routing = NOWHERE
    claims: Claims = USUAL_CLAIMS
    stores: tuple[StoreChoice, ...]
    warehouse: WarehouseChoice
    fingerprint: str = ""

    def roles_of(self, user: str) -> frozenset[Role]:
        """Return the roles that a user has in the project."""
        return frozenset(role for role, name in self.people if name == user)


def default_project(site: Site) -> Project:
    """Make the project that the settings describe."""
    return project_of(site, DEFAULT)


def project_of(site: Site, name: str, naming: Naming = variable) -> Project:
    """Make a project of settings: the site's, or those that a project's file has changed."""
    return Project(
        name=name,
        recipe=",".join(filter(None, (site.pixel_regions, site.study_deid))),
        collection=site.google_storage_collection,
        identity_service=site.identity_url if site.anonymize_restful else LOCAL,
        identity=IdentityNames(
            study=site.som_study.lower(),
            entity_keyword=site.entity_id,
            entity_source=site.entity_id_source,
            item_keyword=site.item_id,
            item_source=site.item_id_source,
            item_source_uid=site.item_id_source_uid if site.anonymize_restful else LOCAL_UID_SOURCE,
            blank_entity=BlankPatientID(site.blank_patient_id),
            several_study_uids=site.several_study_uids,
        ),
        max_date_shift_days=site.max_date_shift_days,
        anonymize_pixels=site.anonymize_pixels,
        pixel_text=PixelText(site.pixel_text),
        data_folders=tuple(_data_folders(site, naming)),
        stores=stores_of(site, naming),
        warehouse=warehouse_of(site, naming),
        review=ReviewPolicy.parse(site.review),
    )


def _data_folders(site: Site, naming: Naming) -> list[DataFolder]:
    """DATA_INPUT_FOLDERS, or else DATA_BASE/DATA_SUBFOLDER; relative ones are below DATA_BASE."""
    if site.data_input_folders:
        name = naming("DATA_INPUT_FOLDERS")
        return [DataFolder(name, site.data_base / folder) for folder in site.data_input_folders]
    name = naming("DATA_SUBFOLDER" if site.data_subfolder else "DATA_BASE")
    return [DataFolder(name, site.data_base / site.data_subfolder)]


def is_missing(warehouse: WarehouseChoice) -> bool:
    """Whether the warehouse is a folder in VAR that is not there, because it is new or because VAR is another one."""
    return isinstance(warehouse, WarehouseFolder) and not warehouse.path.exists()
