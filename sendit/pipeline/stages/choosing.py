"""Choose the images to de-identify: those that passed the filters and have no outcome yet, each instance once."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import cache

from sendit.deid.pseudonyms import Pseudonyms
from sendit.errors import DataFault
from sendit.pipeline.intake.folders import WITHHELD_COPY, StudyFile
from sendit.pipeline.record import studies
from sendit.pipeline.stages.facts import Facts
from sendit.pipeline.stages.importing import ImportedStudy, Seen
from sendit.pipeline.stages.work import Work

READ_BYTES = 1 << 20


def choose_images(work: Work, study: ImportedStudy, pseudonyms: Pseudonyms) -> ImportedStudy:
    """The study with the images that are left; copies get their outcome."""
    pseudonym = cache(pseudonyms.uid)
    passed = [facts for facts in study.named if facts.passed and work.ledger.is_open(facts.number)]
    left = sorted(_distinct(work, passed), key=lambda facts: facts.order)
    return replace(
        study,
        numbers=tuple(facts.number for facts in left),
        seen=tuple(Seen.of(facts) for facts in left),
        series=tuple(pseudonym(facts.series.series_instance_uid) for facts in left),
    )


def content_digest(file: StudyFile) -> bytes:
    """The digest of a file's bytes."""
    return studies.of_content(*file.checksums())


def _distinct(work: Work, passed: Iterable[Facts]) -> Iterator[Facts]:
    """One of each SOP Instance: copies are withheld, and where they differ, nobody can say which is right."""
    alike: dict[str, list[Facts]] = defaultdict(list)
    for facts in passed:
        alike[facts.sop_instance_uid or f"#{facts.number}"].append(facts)
    for first, *others in alike.values():
        if not others:
            yield first
        elif len({_sha256(work, facts.number) for facts in (first, *others)}) > 1:
            for facts in (first, *others):
                work.ledger.fail(facts.number, DataFault("ConflictingInstance", tag=0x00080018), work.stage)
        else:
            yield first
            for facts in others:
                work.ledger.filter(facts.number, WITHHELD_COPY)


def _sha256(work: Work, number: int) -> bytes:
    """Of the file; one that cannot be read any more is like no other."""
    digest = hashlib.sha256()
    try:
        with closing(work.open(number)) as file:
            for offset in range(0, file.size, READ_BYTES):
                digest.update(file.read(offset, READ_BYTES))
                work.lease.check()
    except OSError:
        return number.to_bytes(8, "big")
    return digest.digest()
