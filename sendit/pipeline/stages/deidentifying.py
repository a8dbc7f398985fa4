"""De-identify: image by image from the folder into the archive, and a row of the table `instance` for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sendit.deid.burned_in.record import PixelRecord
from sendit.deid.description import Instance
from sendit.deid.engine import Deidentifier
from sendit.deid.image import DeidentifiedImage
from sendit.deid.image_stream import ImageStream
from sendit.deid.rewriting.account import Account
from sendit.deid.rewriting.withheld import Withheld
from sendit.deid.stream.part_ten import open_part_ten
from sendit.errors import BrokenPromise, DataFault
from sendit.pipeline.intake.folders import StudyFile
from sendit.pipeline.record.leases import Lease
from sendit.pipeline.record.member import Member
from sendit.pipeline.stages.archive import ArchiveFacts, ArchiveWriter
from sendit.pipeline.stages.choosing import content_digest
from sendit.pipeline.stages.header_columns import header_columns
from sendit.pipeline.stages.identity import date_text, variables
from sendit.pipeline.stages.importing import ImportedStudy, Seen
from sendit.pipeline.stages.parts import Part, instance_digest
from sendit.pipeline.stages.rows import rows_written
from sendit.pipeline.stages.sampling import look_at_samples
from sendit.pipeline.stages.summary import Summary
from sendit.pipeline.stages.work import Work
from sendit.ports import IdentityResponse
from sendit.projects.composition import Ports
from sendit.projects.project import PixelText, Project

UNDATED = "00000000"
UNNUMBERED = "NA"
INSTANCES = "instance.parquet"
GROUP_IMAGES, GROUP_BYTES = 32, 4 << 20
"""How many images are de-identified before they are archived, and how many bytes of them are held then."""


@dataclass(frozen=True, slots=True)
class LookedAt:
    """An image whose pixels were looked at: its name in the archive, and what was done."""

    member: str
    record: PixelRecord


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What the de-identify stage made: the archive, and what its images say together."""

    entity_suid: str
    item_suid: str
    object_name: str
    archive: ArchiveFacts
    summary: Summary
    account: Account
    pixels: tuple[LookedAt, ...]
    withheld_series: frozenset[str]
    """Pseudonymous UIDs of series of which a rule of sendit's own withholds an image."""


def deidentify_study(
    work: Work, study: ImportedStudy, response: IdentityResponse, ports: Ports, part: Part, outbox: Path
) -> StudyResult | None:
    """Write the archive and its rows into `outbox`; None when no image was left to deliver.

    Every image that cannot be de-identified gets its error and is not in the archive; the others are not harmed.
    """
    work.stage = "de-identify"
    known = variables(response, ports.project.identity)
    keeps = ports.project.pixel_text is PixelText.KEEP_MEASUREMENTS
    deidentifier = Deidentifier(ports.recipe, ports.pseudonyms, known, study.identifiers, keeps_measurements=keeps)
    sampled = look_at_samples(work, study, deidentifier)
    archiver = StudyArchiver(work, response, ports.project, part, outbox, sampled.records)
    with rows_written("instance", outbox / INSTANCES) as rows:
        for group in _groups(archiver, deidentifier, sampled.study):
            delivered = [(image, added) for image in group if (added := archiver.add(image)) is not None]
            for image, added in delivered:
                rows.append(archiver.row(image, added))
    return archiver.close()


@dataclass(frozen=True, slots=True)
class ReadyImage:
    """A de-identified image on its way into the archive, with the file that it is made of, which is open."""

    number: int
    seen: Seen
    series: str
    file: StudyFile
    image: DeidentifiedImage
    instance: Instance


@dataclass(frozen=True, slots=True)
class Added:
    """An image's place in the archive, and the digest of its file."""

    member: Member
    content: bytes
    review_digest: bytes | None
    """Of the same file, where a person must look at the image before it is delivered."""


def _groups(archiver: StudyArchiver, deidentifier: Deidentifier, study: ImportedStudy) -> Iterator[list[ReadyImage]]:
    """The study's images in the archive's order, a few at a time.

    What is done to a header costs a third where it is done to several one after the other, because their pixels do not
    push it out of the processor's caches in between.
    """
    files = zip(study.numbers, study.seen, study.series, strict=True)
    is_more = True
    with ExitStack() as opened:
        while is_more:
            group: list[ReadyImage] = []
            held_bytes = 0
            while len(group) < GROUP_IMAGES and held_bytes < GROUP_BYTES:
                file = next(files, None)
                if file is None:
                    is_more = False
                    break
                ready = archiver.deidentify(deidentifier, *file)
                if ready is not None:
                    opened.callback(ready.image.close)
                    group.append(ready)
                    held_bytes += ready.image.held_bytes
            yield group
            opened.close()


class StudyArchiver:
    """Puts a study's de-identified images into one archive, and counts what became of each file."""

    def __init__(
        self,
        work: Work,
        response: IdentityResponse,
        project: Project,
        part: Part,
        outbox: Path,
        looked_at: Mapping[int, PixelRecord],
    ) -> None:
        self._looked_at = looked_at
        self._work, self._response, self._part, self._outbox = work, response, part, outbox
        self._names, self._collection = project.identity, project.collection
        self._summary, self._account = Summary(), Account()
        self._alike: Counter[str] = Counter()
        self._withheld_series: set[str] = set()
        self._pixels: list[LookedAt] = []
        self._archive: ArchiveWriter | None = None
        self._object_name = ""

    def deidentify(self, deidentifier: Deidentifier, number: int, seen: Seen, series: str) -> ReadyImage | None:
        """De-identify the numbered file, which stays open; None where it is not delivered."""
        with self._accounted(number, series, seen):
            file = self._work.open(number)
            part_ten = open_part_ten(file)
            verdict = seen.ensure_in(part_ten, self._names)
            looked_at = None if verdict is None else self._looked_at.get(number)
            image = deidentifier.deidentify(part_ten, verdict, looked_at)
            image.ensure_identified()
            return ReadyImage(number, seen, series, file, image, image.instance)
        return None

    def add(self, ready: ReadyImage) -> Added | None:
        """Put an image into the archive and close its file; None if it is not delivered."""
        with self._accounted(ready.number, ready.series, ready.seen):
            review_digest = self._work.review_digest(ready.number) if self._must_wait(ready.seen) else None
            return Added(*self._add(ready.image, ready.instance, ready.file), review_digest)
        return None

    def _must_wait(self, seen: Seen) -> bool:
        """Whether a person must look at an image that would be delivered."""
        review = self._work.review
        return review.holds_back and not seen.is_decided and review.takes(instance_digest(seen))

    def row(self, ready: ReadyImage, added: Added) -> dict[str, Any]:
        """Count an image that is in the archive, and return its row."""
        member, ledger = added.member, self._work.ledger
        self._summary.add(ready.instance)
        self._account.add(ready.image.done)
        if ready.image.pixels is not None:
            self._pixels.append(LookedAt(member.name, ready.image.pixels))
        self._work.lease.progress(images=1)
        ledger.deliver(ready.number, member, self._part.number, instance_digest(ready.seen), added.content)
        if added.review_digest is not None:
            ledger.hold_back(ready.number, self._work.review.rule, added.review_digest, _blanked(ready.image.pixels))
        return self._row(ready.instance, member)

    @contextmanager
    def _accounted(self, number: int, series: str, seen: Seen) -> Iterator[None]:
        """What befalls one image goes into the account of files and does not touch the others."""
        try:
            yield
        except Withheld as withheld:
            self._withhold(number, withheld, seen)
            self._withheld_series.add(series)
        except (DataFault, BrokenPromise) as error:
            self._work.ledger.fail(number, error, self._work.stage)
        except OSError:
            self._work.ledger.fail(number, DataFault("Unreadable"), self._work.stage)

    def _withhold(self, number: int, withheld: Withheld, seen: Seen) -> None:
        """A person may look at what nobody has decided about yet."""
        ledger = self._work.ledger
        if seen.is_decided or not (withheld.is_for_a_person and self._work.review.keeps_doubtful):
            ledger.filter(number, withheld.rule)
            return
        try:
            digest = self._work.review_digest(number)
        except OSError:
            ledger.fail(number, DataFault("Unreadable"), self._work.stage)
        else:
            ledger.review(number, withheld.rule, digest, [list(box) for box in withheld.boxes])

    def close(self) -> StudyResult | None:
        """End the archive."""
        if self._archive is None:
            return None
        if not self._summary.images:
            self._archive.abort()
            return None
        entity, item = self._response.entity, self._response.items[0]
        return StudyResult(
            entity.suid,
            item.suid,
            self._object_name,
            self._archive.close(),
            self._summary,
            self._account,
            tuple(self._pixels),
            frozenset(self._withheld_series),
        )

    def _add(self, image: DeidentifiedImage, instance: Instance, file: StudyFile) -> tuple[Member, bytes]:
        """The image's place, and the digest of its file.

        Raises FolderChanged, which voids the archive, where somebody wrote to the file while it was read.
        """
        if self._archive is None:
            self._archive = self._begin(instance)
        with closing(image):
            name = self._name(instance, self._archive)
            stream = Watched(image.stream(), self._work.lease)
            member = self._archive.add(name, image.size, stream, image.compressed_from)
            content = content_digest(file)
            file.ensure_unchanged()
        return member, content

    def _begin(self, first: Instance) -> ArchiveWriter:
        """The archive is named when its first image is known: its date is the shifted Study Date."""
        entity, item = self._response.entity, self._response.items[0]
        name = f"{entity.suid}_{first.study_date or date_text(item) or UNDATED}_{item.suid}{self._part.suffix}"
        self._object_name = f"Collection/{self._collection}/Entity/{entity.suid}/{name}.tar.gz"
        return ArchiveWriter(self._outbox / f"{name}.tar.gz", name)

    def _name(self, instance: Instance, archive: ArchiveWriter) -> str:
        """`{study suid}_{SeriesNumber}_{InstanceNumber}.dcm`, numbered on where one such name is taken."""
        numbers = (instance.series_number, instance.instance_number)
        words = [UNNUMBERED if number is None else str(number) for number in numbers]
        stem = "_".join([self._response.items[0].suid, *words])
        name = f"{stem}.dcm"
        if name not in archive:
            return name
        self._alike[stem] += 1
        return f"{stem}_{self._alike[stem] + 1}.dcm"

    def _row(self, instance: Instance, member: Member) -> dict[str, Any]:
        return {
            "CodedPatientID": self._response.entity.suid,
            "CodedAccessionNumberID": self._response.items[0].suid,
            "StudyInstanceUID": instance.study_instance_uid,
            "SeriesInstanceUID": instance.series_instance_uid,
            "SOPInstanceUID": instance.sop_instance_uid,
            "SOPClassUID": instance.sop_class_uid,
            "TransferSyntaxUID": instance.transfer_syntax_uid,
            "Modality": instance.modality,
            "SeriesNumber": instance.series_number,
            "InstanceNumber": instance.instance_number,
            "Rows": instance.rows,
            "Columns": instance.columns,
            "NumberOfFrames": instance.number_of_frames,
            "object_name": self._object_name,
            "member": member.name,
            "offset": member.offset,
            "length": member.length,
            "size_bytes": member.size_bytes,
            "sha256": member.sha256,
            "header": instance.header_json,
            "load_id": load_id(self._object_name),
            "part": self._part.number,
            "generation": self._part.generation,
            **header_columns(instance.attributes),
        }


def _blanked(record: PixelRecord | None) -> list[list[int]]:
    return [] if record is None else [list(mask.box) for mask in record.masks]


class Watched:
    """A stream that tells of its progress, and goes on only while the lease holds."""

    def __init__(self, stream: ImageStream, lease: Lease) -> None:
        self._stream, self._lease = stream, lease

    def readinto(self, buffer: memoryview) -> int:
        """As the stream's."""
        count = self._stream.readinto(buffer)
        self._lease.progress(bytes_=count)
        return count


def load_id(object_name: str) -> str:
    """What makes a repeated load add nothing: the archive's own name, the same in every run and every database."""
    return object_name.rpartition("/")[2].removesuffix(".tar.gz")
