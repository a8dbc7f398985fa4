"""Finds batches by whatever a person knows of a study: a pseudonym, an accession number, a Patient ID, a UID, a folder.

What identifies is looked up by keyed digests, and by the pseudonym that it has: so it is found also after a purge.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Q

from sendit.errors import Misconfigured, SenditError
from sendit.ground.phi_field import digest, short_digest
from sendit.phi import Phi
from sendit.pipeline.record.models import Batch, BatchIdentifiers, Study
from sendit.pipeline.record.studies import STUDY_UID
from sendit.pipeline.reports.batches import meant_by
from sendit.pipeline.stages.identity import request_for
from sendit.projects.composition import Ports

UID = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True, slots=True)
class Match:
    """A batch that matches, and what became of it."""

    batch: int
    state: str
    found: int
    delivered: int
    filtered: int
    in_review: int
    errored: int


def find(wanted: Phi[str], ports: Ports) -> list[Match]:
    """The batches that match, in the order in which they came."""
    text = wanted.reveal()
    keys = {*meant_by(text), *_by_folder(text), *_by_pseudonym(text), *_by_study_uid(text)}
    keys |= {*_by_ids(text, ports), *(_by_delivered_uid(text, ports) if "." in text and UID.fullmatch(text) else ())}
    rows = Batch.objects.filter(pk__in=keys).order_by("pk")
    return [
        Match(row.pk, row.state, row.found, row.delivered, row.filtered, row.in_review, row.errored) for row in rows
    ]


def _by_folder(text: str) -> Iterator[int]:
    """By a folder's path, or by a file's path in it."""
    if os.sep in text:
        path = os.path.realpath(text)
        digests = [digest(os.fsencode(each)) for each in (path, os.path.dirname(path))]
        yield from Batch.objects.filter(folder_digest__in=digests).values_list("pk", flat=True)


def _by_pseudonym(text: str) -> Iterator[int]:
    studies = Study.objects.filter(Q(item_suid=text) | Q(entity_suid=text))
    yield from Batch.objects.filter(study__in=studies).values_list("pk", flat=True)


def _by_study_uid(text: str) -> Iterator[int]:
    """By an original Study Instance UID."""
    if UID.fullmatch(text):
        kept = short_digest(STUDY_UID + text.encode()).hex()
        yield from Batch.objects.filter(study__uid_digests__icontains=kept).values_list("pk", flat=True)


def _by_ids(text: str, ports: Ports) -> Iterator[int]:
    """By an accession number or a Patient ID. The local identity service tells their pseudonyms; another one would
    keep what it is asked, so there the identifiers that are not purged are gone through."""
    if ports.site.anonymize_restful:
        yield from _by_identifiers(text, ports)
        return
    names = ports.project.identity
    try:
        answer = ports.identity_service.identify(request_for(names, Phi(text), Phi(text), Phi(""), Phi("")))
    except Misconfigured:
        raise
    except SenditError:  # blank, or nothing but dashes
        return
    yield from _by_pseudonym(answer.entity.suid)
    yield from _by_pseudonym(answer.items[0].suid)


def _by_identifiers(text: str, ports: Ports) -> Iterator[int]:
    names = ports.project.identity
    wanted = {names.item_keyword: text.strip(), names.entity_keyword: text.replace("-", "").strip()}
    for kept in BatchIdentifiers.objects.only("extracted").iterator(chunk_size=1000):
        extracted = kept.extracted.reveal() or {}
        if any(value and extracted.get(keyword) == value for keyword, value in wanted.items()):
            yield kept.pk


def _by_delivered_uid(text: str, ports: Ports) -> Iterator[int]:
    """By a study's, series' or image's UID, as it was or as it was delivered: the warehouse knows the latter."""
    uids = f"('{text}', '{ports.pseudonyms.uid(text)}')"
    columns = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    condition = " OR ".join(f"{column} IN {uids}" for column in columns)
    rows = ports.warehouse.query(f"SELECT DISTINCT CodedAccessionNumberID FROM instance WHERE {condition}").rows
    for (item_suid,) in rows:
        yield from _by_pseudonym(str(item_suid))
