"""Parts: what a study had delivered before stays as it is, and what is new goes out as its next archive.

An image is known again by digests of its SOP Instance UID and of its bytes, from whichever folder it comes.
docs/folders.md says what becomes of each.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace

from sendit.deid.identifiers.identifiers import Identifier
from sendit.errors import DataFault, ServiceDown
from sendit.pipeline.intake.folders import WITHHELD_DELIVERED
from sendit.pipeline.record import studies
from sendit.pipeline.record.models import BatchIdentifiers, Image
from sendit.pipeline.record.models import Study as StudyRow
from sendit.pipeline.record.studies import Held, StudyWithdrawn
from sendit.pipeline.stages.choosing import content_digest
from sendit.pipeline.stages.earlier_version import DeliveredUids
from sendit.pipeline.stages.facts import Facts
from sendit.pipeline.stages.identity import item_of
from sendit.pipeline.stages.importing import ImportedStudy, Seen
from sendit.pipeline.stages.work import Work
from sendit.ports import IdentityResponse
from sendit.projects.composition import Ports
from sendit.projects.project import IdentityNames

BUSY_SECONDS, POLL_SECONDS = 5.0, 0.2
"""How long a worker waits for another one that processes a batch of the same study, before it puts its own back."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which archive of its study is made now."""

    generation: int = 1
    number: int = 1
    is_proven_alone: bool = False
    """Whether the identifiers of the study's other images are not known any more."""
    known_by_uid: int = 0
    """Images that an earlier version delivered, and that are known by their UID alone."""

    @property
    def suffix(self) -> str:
        """What stands in an archive's name behind the study's pseudonym."""
        part = "" if self.number == 1 else f".part{self.number}"
        return part if self.generation == 1 else f"{part}.r{self.generation}"


def instance_digest(seen: Seen | Facts) -> bytes | None:
    """The digest of an image's SOP Instance UID, if it has one."""
    return studies.of_instance(seen.sop_instance_uid) if seen.sop_instance_uid else None


def begin_part(
    work: Work, study: ImportedStudy, response: IdentityResponse, ports: Ports
) -> tuple[Part, ImportedStudy]:
    """Hold the study, and leave what was delivered of it out of what is to be de-identified.

    Raises
    ------
    ServiceDown
        `StudyBusy`: another batch of the study is being processed.
    DataFault
        `MixedStudies`: the study was delivered with another Study Instance UID, or this batch with other pseudonyms.
        `DeliveryUnknown`: it cannot be told what an earlier version delivered.
    """
    row, is_new = _held(work, response)
    work.batch.study = row
    if is_new and not work.earlier.are_there:
        return _first_part(work, row, study)
    if row.withdrawn_at is not None:
        raise StudyWithdrawn
    comparison = _Comparison(work, row, ports)
    _ensure_same_study(row, study, comparison, ports.project.identity)
    for facts in study.found:
        comparison.compare(facts)
    found, unknown = _searched(comparison.batches)
    is_whole = not unknown - comparison.read_again()
    work.identified["searched"] = [[one.kind, one.text] for one in dict.fromkeys((*found, *study.identifiers))]
    if not is_whole:
        _ensure_named(work, study)
    part = Part(row.generation, studies.part_of(row, work.batch.pk), not is_whole, comparison.known_by_uid)
    return part, replace(study, identifiers=tuple(dict.fromkeys((*study.identifiers, *found))))


def _first_part(work: Work, row: StudyRow, study: ImportedStudy) -> tuple[Part, ImportedStudy]:
    """The part of a study that nobody has delivered anything of: there is nothing to compare its images with."""
    studies.add_uids(row, _uids(study))
    identifiers = tuple(dict.fromkeys(study.identifiers))
    work.identified["searched"] = [[one.kind, one.text] for one in identifiers]
    return Part(row.generation), replace(study, identifiers=identifiers)


def _held(work: Work, response: IdentityResponse) -> Held:
    batch = work.batch
    patience = time.monotonic() + BUSY_SECONDS
    while True:
        held = studies.hold(batch.project, response.entity.suid, response.items[0].suid, batch.pk)
        if held is not None:
            break
        if time.monotonic() > patience:
            raise ServiceDown("StudyBusy")
        time.sleep(POLL_SECONDS)
        work.lease.check()
    if batch.study is not None and batch.study != held.study and studies.finished_parts(batch.study, batch.pk):
        raise DataFault("MixedStudies")
    return held


def _ensure_same_study(row: StudyRow, study: ImportedStudy, comparison: _Comparison, names: IdentityNames) -> None:
    uids = _uids(study)
    is_new = not comparison.batches
    if not (is_new or names.several_study_uids or studies.are_known(row, uids) or comparison.has_study(uids)):
        raise DataFault("MixedStudies", tag=0x0020000D)
    studies.add_uids(row, uids)


def _uids(study: ImportedStudy) -> set[str]:
    return {facts.series.study_instance_uid for facts in study.found} - {""}


def _ensure_named(work: Work, study: ImportedStudy) -> None:
    """Of an image that is proven by its own identifiers alone, they must say that it is of this study."""
    for facts in study.found:
        item_id, _ = item_of(study.names, facts.series.item_id, facts.series.study_instance_uid, "")
        named = (facts.series.entity_id, item_id)
        if named != (study.entity_id.reveal(), study.item_id.reveal()) and work.ledger.is_open(facts.number):
            work.ledger.fail(facts.number, DataFault("IdentifiersPurged"), work.stage)


def _searched(batches: frozenset[int]) -> tuple[list[Identifier], frozenset[int]]:
    """What the headers of these batches were found to hold, and the batches of which that is not known (any more)."""
    found: list[Identifier] = []
    known = set()
    for kept in BatchIdentifiers.objects.filter(batch__in=batches).only("searched"):
        texts = kept.searched.reveal()
        if texts is not None:
            known.add(kept.pk)
            found += [Identifier(kind, text) for kind, text in texts]
    return found, batches - known


class _Comparison:
    """Compares images with what was delivered of their study."""

    def __init__(self, work: Work, row: StudyRow, ports: Ports) -> None:
        self._work, self._earlier = work, work.earlier
        self._others, archives = studies.delivered(row, work.batch.pk)
        own = self._earlier.delivered_before
        self._own = {bytes(image.instance_digest): image for image in own if image.instance_digest is not None}
        if any(image.instance_digest is None for image in own):
            archives += studies.archives_of(row, work.batch.pk)
        self._by_uid = DeliveredUids(archives, ports)
        self._rows = {image.member: image for image in own if image.instance_digest is None}
        self.known_by_uid = 0
        self.batches = studies.batches_with_parts(row)

    def read_again(self) -> frozenset[int]:
        """This batch, if the headers of all that it has delivered were read again."""
        is_read = not self._earlier.was_kept_unread and not any(True for _ in self._earlier.delivered())
        return frozenset({self._work.batch.pk}) if is_read else frozenset()

    def has_study(self, uids: set[str]) -> bool:
        """Whether an earlier version has delivered images of these Study Instance UIDs."""
        return self._by_uid.are_of_study(uids)

    def compare(self, facts: Facts) -> None:
        """Give an image that was delivered before its outcome."""
        digest = instance_digest(facts)
        if digest is None:
            return
        own, other = self._own.get(digest), self._others.get(digest)
        if own is not None or other is not None:
            before = own.content_digest if own is not None else other.content_digest if other else None
            self._decide(facts, own, None if before is None else bytes(before))
        elif (found := self._by_uid.member(facts.sop_instance_uid)) is not None:
            self.known_by_uid += 1
            self._decide(facts, self._rows.pop(found, None), None)

    def _decide(self, facts: Facts, own: Image | None, content: bytes | None) -> None:
        number = facts.number
        if content is not None and self._content(number) != content:
            if self._work.ledger.is_open(number):
                self._work.ledger.fail(number, DataFault("ChangedInstance", tag=0x00080018), self._work.stage)
        elif own is not None and self._earlier.is_left(own):
            if own.instance_digest is None:
                own.instance_digest = instance_digest(facts)
            self._earlier.keep(number, own)
        elif self._work.ledger.is_open(number):
            self._work.ledger.filter(number, WITHHELD_DELIVERED)

    def _content(self, number: int) -> bytes | None:
        try:
            with closing(self._work.open(number)) as file:
                return content_digest(file)
        except OSError:
            return None
