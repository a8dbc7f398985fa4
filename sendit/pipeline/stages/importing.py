"""Import and screen: every new file of the folder is read once, judged by the recipe's filters, and must be of one
study.

What becomes of the odd ones is in docs/folders.md.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache

import google_crc32c
from pydicom.datadict import tag_for_keyword

from sendit.deid.identifiers.identifiers import ASKED_FOR, Collected, Identifier
from sendit.deid.recipe.screen import Screen, Verdict
from sendit.deid.stream.header import Header, HeaderReader, known_tag
from sendit.deid.stream.part_ten import PartTen, open_part_ten
from sendit.errors import DataFault
from sendit.phi import Phi
from sendit.pipeline.intake.folders import (
    REFUSED,
    WITHHELD_DICOMDIR,
    WITHHELD_LINK,
    EntryKind,
    FolderChanged,
)
from sendit.pipeline.stages.facts import Facts, SeriesFacts
from sendit.pipeline.stages.identity import DATE_KEYWORDS, MEDIA_STORAGE_DIRECTORY, entity_id_of, item_id_of, item_of
from sendit.pipeline.stages.nameless import (
    OTHER_IMAGES,
    StandIn,
    are_several,
    identifiers_of,
    name_parts,
    stand_in_for,
)
from sendit.pipeline.stages.screening import withhold
from sendit.pipeline.stages.work import Work
from sendit.projects.composition import Ports
from sendit.projects.project import BlankPatientID, IdentityNames

ALIKE_REMEMBERED = 256
FILE_META_GROUP = 0x0002

SOP_CLASS_UID, SOP_INSTANCE_UID, INSTANCE_NUMBER = 0x00080016, 0x00080018, 0x00200013
MEDIA_STORAGE_SOP_INSTANCE_UID = 0x00020003


class Reader:
    """Reads a study's headers, and of each only what is asked; what headers say alike is decoded once.

    Attributes
    ----------
    identifiers : Collected
        The patient's own, of all headers that were taken in.
    """

    def __init__(self, screen: Screen, names: IdentityNames) -> None:
        self.identifiers = Collected()
        self._screen = screen
        self._names = names
        self._known: dict[Hashable, SeriesFacts] = {}
        self._series_tags = tuple(known_tag(name) for name in _series_keywords(names))
        decides = {*ASKED_FOR, *self._series_tags, *self._screen.tags}
        self._headers = HeaderReader({SOP_CLASS_UID, SOP_INSTANCE_UID, INSTANCE_NUMBER, *decides})
        self._of_one_image = {SOP_INSTANCE_UID, INSTANCE_NUMBER} - decides
        self._of_meta = tuple(sorted(tag for tag in decides if tag >> 16 == FILE_META_GROUP))
        self._alike: dict[Hashable, tuple[Verdict, SeriesFacts]] = {}

    def of(self, part_ten: PartTen) -> Header:
        """The header of an opened file, with what this reader asks for."""
        return self._headers.of(part_ten)

    def judge(self, number: int, header: Header, part_ten: PartTen) -> Facts:
        """What the image says, and whether it may go on."""
        verdict, series = self._verdict(header)
        return Facts(
            number=number,
            verdict=verdict,
            sop_instance_uid=header.text(SOP_INSTANCE_UID) or _named_in_meta(part_ten),
            instance_number=_whole(header.text(INSTANCE_NUMBER)),
            series=series,
            window_crc32c=google_crc32c.value(part_ten.window) if header.is_in_window else None,
        )

    def _verdict(self, header: Header) -> tuple[Verdict, SeriesFacts]:
        """What is said of the header, and of all that differ from it in the image alone: in a series, most of them."""
        key = header.all_but(self._of_one_image, self._of_meta)
        found = self._alike.get(key)
        if found is None:
            if len(self._alike) >= ALIKE_REMEMBERED:
                self._alike.clear()
            found = self._alike[key] = self._screen.verdict(header), self._series(header)
            self.identifiers.add(header)
        return found

    def _series(self, header: Header) -> SeriesFacts:
        key = header.encoded(self._series_tags)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _series_facts(header, self._names)
        return known


@dataclass(frozen=True, slots=True, repr=False)
class Seen:
    """What must not have changed in a file when it is opened again: its header, or at least whose and of what it is."""

    window_crc32c: int | None
    series: SeriesFacts
    sop_instance_uid: str
    verdict: Verdict
    is_decided: bool = False

    @classmethod
    def of(cls, facts: Facts) -> Seen:
        """What import saw."""
        return cls(facts.window_crc32c, facts.series, facts.sop_instance_uid, facts.verdict, facts.is_decided)

    def ensure_in(self, part_ten: PartTen, names: IdentityNames) -> Verdict | None:
        """Return what the filters or a reviewer said of the file, or None where its header may be another one by now.

        Raises FolderChanged where the opened file says another patient or another study than import saw.
        """
        if self.window_crc32c is not None and google_crc32c.value(part_ten.window) == self.window_crc32c:
            return self.verdict
        header, series = _identity_reader(names.entity_keyword, names.item_keyword).of(part_ten), self.series
        found = (entity_id_of(header, names), item_id_of(header, names), header.text("StudyInstanceUID"))
        if found != (series.entity_id, series.item_id, series.study_instance_uid):
            raise FolderChanged
        return self.verdict if self.is_decided else None


@cache
def _identity_reader(entity_id: str, item_id: str) -> HeaderReader:
    return HeaderReader(map(known_tag, (entity_id, item_id, "StudyInstanceUID")))


def _series_keywords(names: IdentityNames) -> tuple[str, ...]:
    keywords = ("StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "PatientBirthDate", "PatientName")
    return (*keywords, *DATE_KEYWORDS, names.entity_keyword, names.item_keyword)


def _series_facts(header: Header, names: IdentityNames) -> SeriesFacts:
    return SeriesFacts(
        entity_id=entity_id_of(header, names),
        item_id=item_id_of(header, names),
        study_instance_uid=header.text("StudyInstanceUID"),
        series_instance_uid=header.text("SeriesInstanceUID"),
        series_number=_whole(header.text("SeriesNumber")),
        birth_date=header.text("PatientBirthDate"),
        dates=tuple(header.text(keyword) for keyword in DATE_KEYWORDS),
        name_parts=name_parts(header.text("PatientName")),
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """What the identity service was asked about the batch when an earlier part of it was made."""

    entity_id: str
    item_id: str
    birth_date: str
    study_date: str


@dataclass(frozen=True, slots=True)
class ImportedStudy:
    """What the identity service is asked, and the images that are left to de-identify, in the archive's order."""

    entity_id: Phi[str]
    item_id: Phi[str]
    birth_date: Phi[str]
    study_date: Phi[str]
    identifiers: tuple[Identifier, ...]
    names: IdentityNames
    """With the name for the study's id that is asked for."""
    found: tuple[Facts, ...]
    """Of all images that were read."""
    named: tuple[Facts, ...]
    """Of those among them that may be de-identified if they pass the filters."""
    withheld_series: frozenset[str]
    """Pseudonymous UIDs of series of which a filter withholds an image."""
    stand_in: StandIn | None = None
    """What stands in for the Patient ID of images that have none."""
    numbers: tuple[int, ...] = ()
    """Of the images that are left; `choose_images` finds them."""
    seen: tuple[Seen, ...] = ()
    """What import saw in each of these."""
    series: tuple[str, ...] = ()
    """Pseudonymous UIDs of the series of each of these."""


def import_study(work: Work, ports: Ports, earlier: Asked | None = None) -> ImportedStudy | None:
    """Read and screen every file that has no outcome yet; what is not to be de-identified gets its outcome.

    Parameters
    ----------
    earlier : Asked, optional
        What an earlier part of the batch says of its study; the new images then need not say it again.

    Returns
    -------
    Study or None
        None if there is no new image, beside those of earlier parts.

    Raises
    ------
    DataFault
        The folder as a whole is not one study: MixedPatients, MixedStudies, MissingPatientID, NothingReadable.
    """
    names = ports.project.identity
    reader, pseudonym = Reader(ports.screen, names), cache(ports.pseudonyms.uid)
    found = withhold(work, list(_read_all(work, reader)))
    folder_name = os.path.basename(work.folder)
    if not found and earlier:
        return None
    known = earlier or Asked("", "", "", "")
    item_id = _first([*(facts.series.item_id for facts in found), known.item_id])
    instead = known.entity_id or stand_in_for(names, item_id, folder_name)
    entity_id, stand_in = _ensure_one_study(found, names, instead)
    named = list(_with_patient(work, found, names))
    study_uid = _first(facts.series.study_instance_uid for facts in found)
    item_id, item_source = item_of(names, item_id, study_uid, folder_name)
    dates = (date for kind in zip(*(f.series.dates for f in found), strict=True) for date in kind)
    return ImportedStudy(
        entity_id=Phi(entity_id),
        item_id=Phi(item_id),
        birth_date=Phi(_first([*(facts.series.birth_date for facts in named), known.birth_date])),
        study_date=Phi(_first([known.study_date, *dates])),
        identifiers=(*reader.identifiers.all(), *(identifiers_of(entity_id, folder_name) if stand_in else ())),
        names=replace(names, item_source=item_source),
        found=tuple(found),
        named=tuple(named),
        withheld_series=frozenset(pseudonym(facts.series.series_instance_uid) for facts in found if not facts.passed),
        stand_in=stand_in,
    )


def _read_all(work: Work, reader: Reader) -> Iterator[Facts]:
    for number, entry in enumerate(work.entries, 1):
        work.lease.check()
        if not work.ledger.is_open(number):
            continue
        if entry.kind is EntryKind.LINK_INSIDE:
            work.ledger.filter(number, WITHHELD_LINK)
        elif entry.kind in REFUSED:
            work.ledger.fail(number, DataFault(REFUSED[entry.kind]), work.stage)
        else:
            yield from _read(work, number, reader)


def _read(work: Work, number: int, reader: Reader) -> Iterator[Facts]:
    try:
        with closing(work.open(number)) as file:
            part_ten = open_part_ten(file)
            header = reader.of(part_ten)
            if header.sop_class_uid == MEDIA_STORAGE_DIRECTORY:
                work.ledger.filter(number, WITHHELD_DICOMDIR)
                return
            facts = reader.judge(number, header, part_ten)
    except DataFault as fault:
        work.ledger.fail(number, fault, work.stage)
    except OSError:
        work.ledger.fail(number, DataFault("Unreadable"), work.stage)
    else:
        yield facts


def _named_in_meta(part_ten: PartTen) -> str:
    """The Media Storage SOP Instance UID, by which an image goes that lacks the other one."""
    return part_ten.meta.get(MEDIA_STORAGE_SOP_INSTANCE_UID, b"").rstrip(b" \0").decode("ascii", "replace")


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0


def _first(texts: Iterable[str]) -> str:
    return next((text for text in texts if text.strip()), "")


def _ensure_one_study(found: list[Facts], names: IdentityNames, instead: str) -> tuple[str, StandIn | None]:
    """The patient's id, or `instead`, and where it stands in for one.

    The images that a filter withholds count too: they may be why the folder is not one study.
    """
    if not found:
        raise DataFault("NothingReadable")
    patients = {facts.series.entity_id for facts in found} - {""}
    if not patients and not instead:
        raise DataFault("MissingPatientID", tag=tag_for_keyword(names.entity_keyword))
    if len(patients) > 1:
        raise DataFault("MixedPatients", count=len(patients))
    uids = set() if names.several_study_uids else {facts.series.study_instance_uid for facts in found}
    for several in (uids, {facts.series.item_id for facts in found}):
        if len(several - {""}) > 1:
            raise DataFault("MixedStudies", count=len(several - {""}))
    return _first(patients) or instead, _stand_in(found, names)


def _stand_in(found: list[Facts], names: IdentityNames) -> StandIn | None:
    """What stands in for ids that are blank; where it does, the patient's names must not speak of several people."""
    blank = sum(not facts.series.entity_id for facts in found)
    if not blank or names.blank_entity is BlankPatientID.ERROR:
        return None
    if are_several(facts.series.name_parts for facts in found):
        raise DataFault("MixedPatients")
    return StandIn(blank, names.blank_entity if blank == len(found) else OTHER_IMAGES)


def _with_patient(work: Work, found: list[Facts], names: IdentityNames) -> Iterator[Facts]:
    for facts in found:
        if facts.series.entity_id or names.blank_entity is not BlankPatientID.ERROR:
            yield facts
        elif work.ledger.is_open(facts.number):
            fault = DataFault("MissingPatientID", tag=tag_for_keyword(names.entity_keyword))
            work.ledger.fail(facts.number, fault, work.stage)
