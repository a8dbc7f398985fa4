"""The keys of a project's file, as data: what each is for, which form it has, and which setting it overrides.

A key that overrides a setting has its form and its default. Whatever a file does not say is as the settings say,
except for where the project's studies come from and what its objects are called.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sendit.client_secrets import endpoint
from sendit.errors import suggestion
from sendit.projects.project import DEFAULT, LOCAL
from sendit.projects.roles import OF_PROJECTS, Role
from sendit.projects.site import SETTINGS

LONGEST_AE_TITLE = 16
_USER = re.compile(r"[\w.@+-]{1,150}")


class WrongValue(ValueError):
    """A value that is wrong for a reason that its form does not say; in a table, at a key."""

    def __init__(self, why: str, key: str = "") -> None:
        super().__init__(why)
        self.key = key


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a project's file."""

    about: str
    form: str = ""
    setting: str = ""
    """The setting that it overrides for the project."""
    read: Callable[[Any], Any] | None = None
    """For a key of projects alone: reads the value, or raises ValueError."""
    is_path: bool = False
    """For a key of projects alone: whether it names a file, below the folder of the project's file if relative."""
    blank: str = '""'
    """What stands in a new file, in TOML, where no setting says it."""
    is_fingerprinted: bool = True
    """Whether another value makes it another project for those who approved it."""

    @property
    def purpose(self) -> str:
        """What it is for."""
        return self.about or SETTINGS[self.setting].about

    @property
    def legal(self) -> str:
        """What a legal value looks like."""
        return self.form or SETTINGS[self.setting].form


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(value)
    return value


def _identity(value: Any) -> str:
    return LOCAL if value == LOCAL else endpoint(_text(value))


def _ae_titles(value: Any) -> tuple[str, ...]:
    """Read AE titles (PS3.5, VR AE): at most 16 printable ASCII characters without a backslash."""
    if not isinstance(value, list) or not all(isinstance(one, str) and _is_ae_title(one) for one in value):
        raise ValueError(value)
    return tuple(one.strip() for one in value)


def _is_ae_title(text: str) -> bool:
    return text.isascii() and text.isprintable() and "\\" not in text and 0 < len(text.strip()) <= LONGEST_AE_TITLE


def _criteria(value: Any) -> tuple[str, ...]:
    from sendit.deid.recipe.field_syntax import FieldError
    from sendit.deid.recipe.filters import parse_check

    if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
        raise ValueError(value)
    lines = tuple(one.strip() for one in value)
    for line in lines:
        try:
            check, _ = parse_check(line, lenient=False)
        except FieldError as error:
            raise WrongValue(error.reason) from None
        if check.operator:
            raise WrongValue("each line is a reason of its own, and begins with no operator")
    return lines


def _people(value: Any) -> tuple[tuple[Role, str], ...]:
    if not isinstance(value, dict):
        raise ValueError(value)
    for role in value:
        if role not in OF_PROJECTS:
            raise WrongValue(f"{role} is no role of a project{suggestion(role, OF_PROJECTS)}", key=role)
    for role, names in value.items():
        if not isinstance(names, list) or not all(isinstance(one, str) and _USER.fullmatch(one) for one in names):
            raise WrongValue("a list of users' names", key=role)
    return tuple(sorted((Role(role), name) for role, names in value.items() for name in set(names)))


def _whole(least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(value)
        return value

    return read


KEYS: dict[str, Key] = {
    "name": Key("The project's name, which is also the file's.", "the file's name", read=_text),
    "title": Key("What people read beside the name.", "text", read=_text, is_fingerprinted=False),
    "key": Key(
        "Whose key makes its pseudonyms: `own` is derived from the site's key and the project's name, `site` is the "
        f"site's key, as {DEFAULT} has it, and `shared:NAME` is one key for the projects that give the same name. "
        "It cannot change once the project has a batch.",
        "own, site or shared:NAME",
        read=_text,
    ),
    "recipe": Key("", setting="STUDY_DEID"),
    "anonymize_pixels": Key("", setting="ANONYMIZE_PIXELS"),
    "pixel_regions": Key("", setting="PIXEL_REGIONS"),
    "pixel_text": Key("", setting="PIXEL_TEXT"),
    "review": Key("", setting="REVIEW"),
    "identity_service": Key(
        "Who gives pseudonyms: `local`, or the address of a DASHER API.",
        "local or https://…",
        read=_identity,
        blank='"local"',
        is_fingerprinted=False,  # because the settings that it overrides are
    ),
    "identity_secrets": Key("The client-secrets file for the DASHER API.", setting="STANFORD_CLIENT_SECRETS"),
    "identity_collection": Key(
        "The collection that the identity service is asked for; empty is what `collection` says.", setting="SOM_STUDY"
    ),
    "max_date_shift_days": Key("", setting="MAX_DATE_SHIFT_DAYS"),
    "entity_id": Key("", setting="ENTITY_ID"),
    "entity_id_source": Key("", setting="ENTITY_ID_SOURCE"),
    "item_id": Key("", setting="ITEM_ID"),
    "item_id_source": Key("", setting="ITEM_ID_SOURCE"),
    "item_id_source_uid": Key("", setting="ITEM_ID_SOURCE_UID"),
    "blank_patient_id": Key("", setting="BLANK_PATIENT_ID"),
    "several_study_uids": Key("", setting="SEVERAL_STUDY_UIDS"),
    "data_folders": Key(
        "The folders whose sub-folders are the project's study folders; relative ones are below DATA_BASE. Several "
        "projects may name the same: each then has a batch of its own for every folder in it.",
        "a list of folders",
        setting="DATA_INPUT_FOLDERS",
        blank="[]",
    ),
    "called_ae_titles": Key(
        "What peers send to us under one of these AE titles lands in the first of the project's data folders.",
        "a list of AE titles",
        read=_ae_titles,
        blank="[]",
    ),
    "calling_ae_titles": Key(
        "What comes from peers with one of these AE titles lands there; with both keys, both have to fit.",
        "a list of AE titles",
        read=_ae_titles,
        blank="[]",
    ),
    "takes": Key(
        "Which images of its studies are the project's, by values of the header: lines of criteria as under a LABEL of "
        "a recipe, one of which has to fit. Without any, all are.",
        "a list of criteria",
        read=_criteria,
        blank="[]",
    ),
    "collection": Key(
        "The prefix of the project's objects and the name of its data set; empty is the project's name.",
        setting="GOOGLE_STORAGE_COLLECTION",
    ),
    "destinations": Key(
        "Where archives go: each of them gets every archive.",
        "a list of URLs as in the setting STORE",
        setting="STORE",
    ),
    "warehouse": Key("Where rows go.", setting="WAREHOUSE"),
    "allow_list": Key(
        "A CSV file with a column PatientID or AccessionNumber: only these patients and studies are the project's.",
        "a file's path",
        read=_text,
        is_path=True,
    ),
    "opt_out": Key(
        "A CSV file with a column PatientID or AccessionNumber, or with a Patient ID on each line: nothing of these is "
        "taken, beside those of OPT_OUT, and withdraw --opt-out removes what was delivered before.",
        "a file's path",
        read=_text,
        is_path=True,
    ),
    "share": Key(
        "How many batches of the project are taken up for one of a project with the share 1, while both wait.",
        "a whole number from 1 to 1000",
        read=_whole(1, 1000),
        blank="1",
        is_fingerprinted=False,
    ),
    "priority": Key(
        "Batches of projects with a higher priority are taken up first, as long as there are any.",
        "a whole number from -100 to 100",
        read=_whole(-100, 100),
        blank="0",
        is_fingerprinted=False,
    ),
    "require_approval": Key("", setting="REQUIRE_APPROVAL"),
    "people": Key(
        "Which users have which role in this project, beside those who have it at the whole site. As a table [people] "
        "it stands at the end of the file.",
        'operator = ["anna"]',
        read=_people,
        blank="{}",
    ),
    "originals": Key("", setting="ORIGINALS"),
    "identifiers": Key("", setting="IDENTIFIERS"),
}
"""Every key by its name, in the order of a new file."""
