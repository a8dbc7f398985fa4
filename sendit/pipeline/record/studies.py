"""The studies of a project: which batch is at work on one, which part comes next, and what was delivered of it.

Batches of one study are processed one after the other, so that what one of them delivers is known to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import Max, Q

from sendit.ground.phi_field import short_digest
from sendit.pipeline.record.models import Batch, Delivery, Image, Outcome, Study
from sendit.pipeline.record.states import VOID, WITH_ARCHIVE, DeliveryState, Job

INSTANCE, CONTENT, FILE, STUDY_UID = b"instance\0", b"content\0", b"file\0", b"study\0"
"""What a digest is of stands before it: digests of different things never agree."""


class StudyWithdrawn(Exception):
    """The study was withdrawn; what is made of it must not leave."""


@dataclass(frozen=True, slots=True)
class DeliveredImage:
    """An image of a study that was delivered, or is made and waits for its delivery."""

    batch: int
    image: int
    """Primary key of its row of Image."""
    content_digest: bytes | None
    """None of a delivery of an earlier version, which kept no digests."""


@dataclass(frozen=True, slots=True)
class EarlierArchive:
    """An archive of an earlier version, of whose images no digests are kept."""

    batch: int
    object_name: str
    images: int


class Held(NamedTuple):
    """A study that a batch holds, and whether no batch has had one of its images before."""

    study: Study
    is_new: bool


def hold(project: str, entity_suid: str, item_suid: str, batch: int) -> Held | None:
    """The study, now held by the batch; None while another batch of the study is being processed."""
    first = {"project": project, "item_suid": item_suid, "entity_suid": entity_suid, "held_by": batch}
    try:
        with transaction.atomic():
            found = Study.objects.select_for_update().filter(project=project, item_suid=item_suid).first()
            if found is None:
                return Held(Study.objects.create(**first), is_new=True)
            return Held(found, is_new=False) if _is_held(found, batch) else None
    except IntegrityError:  # another process was faster
        return None


def of_patient(project: str, entity_suid: str) -> list[Study]:
    """The studies of a patient that are known, in the order in which they came."""
    return list(Study.objects.filter(project=project, entity_suid=entity_suid).order_by("pk"))


def _is_held(study: Study, batch: int) -> bool:
    """Hold the study for the batch, unless another one is being processed."""
    if study.held_by not in (None, batch) and _is_processed(study.held_by):
        return False
    if study.held_by != batch:
        study.held_by = batch
        study.save(update_fields=["held_by"])
    return True


def _is_processed(batch: int | None) -> bool:
    return batch is not None and Batch.objects.filter(pk=batch, state=Job.PROCESS.working).exists()


def are_known(study: Study, uids: set[str]) -> bool:
    """Whether the study was delivered with these Study Instance UIDs."""
    return {short_digest(STUDY_UID + uid.encode()).hex() for uid in uids} <= set(study.uid_digests)


def ensure_not_withdrawn(study: int | None) -> None:
    """Raise StudyWithdrawn, or keep the study from being withdrawn until the transaction ends."""
    if study is None:
        return
    found = Study.objects.select_for_update().filter(pk=study).values_list("withdrawn_at", flat=True).first()
    if found is not None:
        raise StudyWithdrawn


def is_withdrawn(study: int | None) -> bool:
    """Whether nothing of it may leave."""
    return study is not None and Study.objects.filter(pk=study, withdrawn_at__isnull=False).exists()


def not_removed() -> list[int]:
    """The studies that were withdrawn and of which something may still be at a destination."""
    left = Delivery.objects.filter(batch__study__withdrawn_at__isnull=False).exclude(state__in=VOID)
    return sorted({key for key in left.values_list("batch__study", flat=True) if key is not None})


def add_uids(study: Study, uids: set[str]) -> None:
    """Keep the digests of Study Instance UIDs; the caller holds the study."""
    new = {short_digest(STUDY_UID + uid.encode()).hex() for uid in uids} - set(study.uid_digests)
    if new:
        study.uid_digests = sorted({*study.uid_digests, *new})
        study.save(update_fields=["uid_digests"])


def part_of(study: Study, batch: int) -> int:
    """The number of the part that a batch makes now: that of one that it could not deliver, or the next one."""
    made = Delivery.objects.filter(batch__study=study, generation=study.generation).exclude(state__in=VOID)
    own = made.filter(batch=batch).exclude(state=DeliveryState.DONE).order_by("part").first()
    if own is not None:
        return own.part
    return int(made.aggregate(last=Max("part"))["last"] or 0) + 1


def finished_parts(study: Study, batch: int) -> set[int]:
    """The parts of a batch that are at all of their destinations."""
    made = Delivery.objects.filter(batch=batch, generation=study.generation).exclude(state__in=VOID)
    states = set(made.values_list("part", "state"))
    return {part for part, _ in states} - {part for part, state in states if state != DeliveryState.DONE}


def delivered(study: Study, batch: int) -> tuple[dict[bytes, DeliveredImage], list[EarlierArchive]]:
    """What other batches have of the study, by instance digest; and archives whose images are not known by one."""
    known: dict[bytes, DeliveredImage] = {}
    earlier: list[EarlierArchive] = []
    for delivery in _of_others(study, batch):
        rows = list(_images(delivery.batch_id, delivery.part))
        known |= {digest: image for digest, image in rows if digest is not None}
        if any(digest is None for digest, _ in rows):
            earlier.append(EarlierArchive(delivery.batch_id, delivery.object_name, len(rows)))
    return known, earlier


def archives_of(study: Study, batch: int) -> list[EarlierArchive]:
    """The archives of a batch of which images are kept without digests."""
    done = Delivery.objects.filter(batch=batch, generation=study.generation, state=DeliveryState.DONE)
    found = []
    for part, name in set(done.values_list("part", "object_name")):
        without = [image for digest, image in _images(batch, part) if digest is None]
        if without:
            found.append(EarlierArchive(batch, name, len(without)))
    return found


def batches_with_parts(study: Study) -> frozenset[int]:
    """The batches that have delivered something of the study, or are about to."""
    return frozenset(Delivery.objects.filter(_COUNTS, batch__study=study).values_list("batch", flat=True))


def batches_of_generation(study: Study) -> frozenset[int]:
    """The batches that have a part of the study as it is made now."""
    made = Delivery.objects.filter(_COUNTS, batch__study=study, generation=study.generation)
    return frozenset(made.values_list("batch", flat=True))


def keep_longest_shift(study: Study, days: int) -> None:
    """Keep the setting by which the dates of its parts are shifted; the caller holds the study."""
    if study.longest_shift_days != days:
        study.longest_shift_days = days
        study.save(update_fields=["longest_shift_days"])


_COUNTS = Q(state=DeliveryState.DONE) | Q(state=DeliveryState.WAITING, batch__state__in=WITH_ARCHIVE)
"""The archives that count. One that waits in a batch that is queued again is about to be made again."""


def _of_others(study: Study, batch: int) -> Iterator[Delivery]:
    found = Delivery.objects.filter(_COUNTS, batch__study=study, generation=study.generation).exclude(batch=batch)
    seen: set[tuple[int, int]] = set()
    for delivery in found.order_by("batch", "part"):
        if (delivery.batch_id, delivery.part) not in seen:
            seen.add((delivery.batch_id, delivery.part))
            yield delivery


def _images(batch: int, part: int) -> Iterator[tuple[bytes | None, DeliveredImage]]:
    images = Image.objects.filter(batch=batch, part=part, outcome=Outcome.DELIVERED)
    for key, instance, content in images.values_list("pk", "instance_digest", "content_digest"):
        kept = None if content is None else bytes(content)
        yield None if instance is None else bytes(instance), DeliveredImage(batch, key, kept)


def of_instance(uid: str) -> bytes:
    """The digest of a SOP Instance UID."""
    return short_digest(INSTANCE + uid.encode())


def of_file(kind: str, size_bytes: int, modified_ns: int, name: bytes) -> bytes:
    """The digest of an entry of a folder."""
    return short_digest(FILE + f"{kind} {size_bytes} {modified_ns} ".encode() + name)


def of_content(size_bytes: int, crc32: int, adler32: int) -> bytes:
    """The digest of a file's bytes, by their number and two checksums of them.

    The checksums are made at several gigabytes a second, while a hash of the bytes would take as long as the image's
    compression. They tell what was sent twice from what was changed; nobody has a reason to forge either.
    """
    return short_digest(CONTENT + b"%d %d %d" % (size_bytes, crc32, adler32))
