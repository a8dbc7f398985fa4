"""What the identity service is asked of a study (WIRE 1), and what a recipe gets of its answer. Knows no database."""

from __future__ import annotations

import re
from datetime import date as Date
from typing import Any

from sendit.deid.stream.header import Header
from sendit.phi import Phi
from sendit.ports import IdentityItem, IdentityRequest, IdentityResponse, Pseudonym
from sendit.projects.project import IdentityNames

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
"""The SOP class of a DICOMDIR, which is of no study."""

DATE_KEYWORDS = ("StudyDate", "SeriesDate", "ContentDate", "AcquisitionDate")
"""Where a study's date is looked for; the first that is not blank counts."""


def entity_id_of(header: Header, names: IdentityNames) -> str:
    """The patient's id, as it is asked for."""
    return header.text(names.entity_keyword).replace("-", "").strip()


def item_id_of(header: Header, names: IdentityNames) -> str:
    """The study's id; blank where the folder's name serves for it."""
    return header.text(names.item_keyword).strip()


def item_of(names: IdentityNames, item_id: str, study_instance_uid: str, folder_name: str) -> tuple[str, str]:
    """The study's id to ask for, with the identity service's name for it: of a study without one, its UID."""
    if item_id:
        return item_id, names.item_source
    if study_instance_uid and names.item_source_uid:
        return study_instance_uid, names.item_source_uid
    return folder_name, names.item_source


def request_for(
    names: IdentityNames, entity_id: Phi[str], item_id: Phi[str], birth_date: Phi[str], study_date: Phi[str]
) -> IdentityRequest:
    """The request for one study; both dates as DA, blank where there is none."""
    item = IdentityItem(item_id, names.item_source, instant(study_date))
    return IdentityRequest(
        study=names.study,
        id=entity_id,
        id_source=names.entity_source,
        timestamp=instant(birth_date),
        items=(item,),
    )


def variables(response: IdentityResponse, names: IdentityNames) -> dict[str, Any]:
    """What a recipe's `var:` may name; timestamps are text that DA can hold."""
    entity, item = response.entity, response.items[0]
    return {
        "entity_id": entity.suid,
        "entity_id_source": names.entity_source,
        "entity_timestamp": date_text(entity),
        "item_id": item.suid,
        "item_id_source": names.item_source,
        "item_timestamp": date_text(item),
        "jitter": item.jitter,
    }


def instant(date: Phi[str]) -> Phi[str] | None:
    """A DA (PS3.5 6.2; the old form with dots too) as the instant at which it begins, None where it is no date."""
    matched = re.fullmatch(r"(\d{4})\.?(\d\d)\.?(\d\d)", date.reveal().strip(), re.ASCII)
    try:
        return Phi(f"{Date(*map(int, matched.groups()))}T00:00:00Z") if matched else None
    except ValueError:
        return None


def date_text(pseudonym: Pseudonym) -> str:
    """The shifted date as DA; blank where none was asked or answered."""
    matched = re.match(r"(\d{4})-(\d\d)-(\d\d)", pseudonym.timestamp or "")
    return "".join(matched.groups()) if matched else ""
