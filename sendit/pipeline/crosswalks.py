"""Crosswalks: which pseudonym belongs to which identifier, for those that somebody named, sealed for a recipient.

What is found goes from the encrypted table into the sealed bytes, and nowhere else.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Q

from sendit.confirmations import filing
from sendit.confirmations.filing import Account, Decision
from sendit.confirmations.models import Kind, Request, RequestState
from sendit.errors import Misconfigured
from sendit.papers.sealing import recipient
from sendit.phi import Phi
from sendit.pipeline import finding
from sendit.pipeline.record.models import Batch, BatchIdentifiers, Study
from sendit.projects.composition import Ports, Projects

HEADER = ("kind", "pseudonym", "identifier")
AT_ONCE = 500
ALL = "all"


class NamedBy(StrEnum):
    """What the lines of a request are."""

    PSEUDONYMS = "pseudonyms"
    ACCESSIONS = "accessions"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a crosswalk is asked about: lines of one kind, or all pseudonyms of the project where there are none."""

    by: NamedBy
    lines: Phi[tuple[str, ...]]
    to: str
    """The recipient's public key."""


def file_crosswalk(projects: Projects, project: str, asked: Asked, account: Account, reason: str) -> Request:
    """Keep a request for a crosswalk until another person decides.

    Raises
    ------
    Misconfigured
        `UnknownProject`; `BadRecipient`, `MissingPackage`; `CrosswalkOfAll`: nothing is named, and the site does not
        allow that.
    """
    ports, lines = projects.of(project), asked.lines.reveal()
    if not lines and not ports.site.crosswalk_all:
        raise Misconfigured("CrosswalkOfAll")
    about = {"by": asked.by, "asked": len(lines) or ALL, "to": recipient(asked.to).words}
    content = {"by": asked.by, "lines": list(lines), "to": asked.to}
    return filing.file(Kind.CROSSWALK, project, account, reason, content, about)


def decide(request: int, actor: str, projects: Projects, *, is_confirmed: bool) -> Decision:
    """Decide about a crosswalk; where it is confirmed, make and seal it. Raises SenditError, and it waits then."""

    def carry_out(row: Request) -> None:
        asked = row.content.reveal()
        rows = list(_rows(projects.of(row.project), NamedBy(asked["by"]), asked["lines"]))
        row.result = recipient(asked["to"]).seal(_csv(rows))
        row.about = row.about | {"found": len(rows)}

    return filing.decide(
        request, actor, is_confirmed=is_confirmed, carry_out=carry_out, kinds=frozenset({Kind.CROSSWALK})
    )


def sealed(request: int) -> bytes | None:
    """Return the sealed crosswalk; None where it is not confirmed."""
    row = Request.objects.filter(pk=request, kind=Kind.CROSSWALK, state=RequestState.CONFIRMED).first()
    return None if row is None or row.result is None else bytes(row.result)


def _csv(rows: Iterable[tuple[str, str, str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEADER, *rows])
    return text.getvalue().encode()


def _rows(ports: Ports, by: NamedBy, lines: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield each pair once, in the order of pseudonyms."""
    if by is NamedBy.ACCESSIONS:
        yield from sorted(set(_of_accessions(ports, lines)))
    else:
        yield from sorted(set(_of_pseudonyms(ports.project.name, lines)))


def _of_pseudonyms(project: str, lines: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield what belongs to patients' and studies' pseudonyms, as far as it was not purged."""
    batches = Batch.objects.filter(project=project).exclude(item_suid="")
    if not lines:
        yield from _pairs(batches.values_list("pk", "entity_suid", "item_suid"), None)
    for begin in range(0, len(lines), AT_ONCE):
        some = set(lines[begin : begin + AT_ONCE])
        named = batches.filter(Q(item_suid__in=some) | Q(study__entity_suid__in=some))
        yield from _pairs(named.values_list("pk", "entity_suid", "item_suid"), some)


def _pairs(batches: Iterable[tuple[int, str, str]], wanted: set[str] | None) -> Iterator[tuple[str, str, str]]:
    found = list(batches)
    for begin in range(0, len(found), AT_ONCE):
        some = {key: (entity, item) for key, entity, item in found[begin : begin + AT_ONCE]}
        for kept in BatchIdentifiers.objects.filter(batch__in=some).only("request").iterator():
            asked = kept.request.reveal()
            if asked is None:
                continue
            entity, item = some[kept.pk]
            for kind, suid, identifier in (
                ("patient", entity, asked["id"]),
                *(("study", item, one["id"]) for one in asked["items"]),
            ):
                if wanted is None or suid in wanted:
                    yield kind, suid, identifier


def _of_accessions(ports: Ports, lines: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the study's pseudonym of each line that is known; it does not matter whether identifiers were purged."""
    for line in lines:
        for study in finding.studies_of_line(Phi(line), ports):
            suids = Study.objects.filter(pk=study).values_list("entity_suid", "item_suid")
            for _, item in suids:
                yield "study", item, line.partition("\t")[0].strip()
