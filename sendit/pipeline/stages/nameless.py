"""Images without a Patient ID: who stands in for the patient, if the site's setting says so. Knows no database."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sendit.deid.identifiers.identifiers import SHORTEST_ID, Identifier, is_placeholder
from sendit.deid.identifiers.vocabulary import fold
from sendit.projects.project import BlankPatientID, IdentityNames


@dataclass(frozen=True, slots=True)
class StandIn:
    """What stands in for the patient of a folder.

    Attributes
    ----------
    images : int
        How many images have no Patient ID of their own.
    by : str
        What stands in: the folder's name, the accession number, or the Patient ID of the folder's other images.
    """

    images: int
    by: str


OTHER_IMAGES = "other images"


def stand_in_for(names: IdentityNames, item_id: str, folder_name: str) -> str:
    """The id that stands in for a patient without one; blank where the setting gives none."""
    match names.blank_entity:
        case BlankPatientID.FOLDER:
            return folder_name.replace("-", "").strip()
        case BlankPatientID.ACCESSION:
            return item_id.replace("-", "").strip()
        case BlankPatientID.ERROR:
            return ""


def name_parts(patient_name: str) -> frozenset[str]:
    """The parts of a name, as they are compared; none where it names nobody."""
    if is_placeholder(re.sub(r"\d", " ", patient_name)):
        return frozenset()
    return frozenset(fold(part) for part in re.findall(r"[^\W\d_]{2,}", patient_name))


def are_several(names: Iterable[frozenset[str]]) -> bool:
    """Whether two names each have a part that the other lacks."""
    found = list(dict.fromkeys(name for name in names if name))
    return any(not (one <= other or other <= one) for one in found for other in found)


def identifiers_of(stand_in: str, folder_name: str) -> Collection[Identifier]:
    """What must not remain in an output because it stands in for the patient."""
    texts = dict.fromkeys(text for text in (stand_in, folder_name) if len(text) >= SHORTEST_ID)
    return [Identifier("id", text) for text in texts if stand_in and not is_placeholder(text)]
