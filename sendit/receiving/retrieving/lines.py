"""The rows of retrievals: what is wanted, what became of it, and what the listener may know of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from django.utils import timezone

from sendit.ground.phi_field import digest
from sendit.phi import Phi
from sendit.receiving.models import Arrival, Retrieval, RetrievalState, RetrievedStudy
from sendit.receiving.retrieving.cohort import Wanted

CHUNK = 500
MAX_ATTEMPTS = 3
"""How often a study that comes incomplete is retrieved in one run."""


@dataclass(frozen=True, slots=True, repr=False)
class Line:
    """A line that is wanted."""

    pk: int
    keys: dict[str, str]
    attempts: int


def want(peer: str, cohort: Iterable[Wanted]) -> list[str]:
    """Note what is wanted, unless it is noted already; returns the digests of all lines.

    What was missing or incomplete before is wanted again.
    """
    by_digest = {digest(wanted.identity): wanted for wanted in cohort}
    rows = (Retrieval(peer=peer, wanted_digest=one, wanted=Phi(dict(wanted.keys))) for one, wanted in by_digest.items())
    Retrieval.objects.bulk_create(rows, batch_size=CHUNK, ignore_conflicts=True)
    for chunk in _chunks(list(by_digest)):
        again = Retrieval.objects.filter(peer=peer, wanted_digest__in=chunk).exclude(state=RetrievalState.RETRIEVED)
        again.update(state=RetrievalState.WAITING, attempts=0)
    return list(by_digest)


def _chunks(digests: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(digests), CHUNK):
        yield digests[start : start + CHUNK]


def waiting(peer: str, digests: list[str]) -> Iterator[Line]:
    """Yield the lines that are to be retrieved, those that were never tried first."""
    for attempts in range(MAX_ATTEMPTS):
        for chunk in _chunks(digests):
            rows = Retrieval.objects.filter(peer=peer, wanted_digest__in=chunk, state=RetrievalState.WAITING)
            for row in rows.filter(attempts=attempts).order_by("pk"):
                yield line_of(row)


def line_of(row: Retrieval) -> Line:
    """Return a row that is waiting as a line."""
    return Line(row.pk, row.wanted.reveal(), row.attempts)


def counts(peer: str, digests: list[str]) -> Counter[str]:
    """Return how many lines are in each state; `found` are those with a match."""
    found: Counter[str] = Counter()
    for chunk in _chunks(digests):
        for state, studies in Retrieval.objects.filter(peer=peer, wanted_digest__in=chunk).values_list(
            "state", "studies"
        ):
            found[state] += 1
            found["found"] += bool(studies)
    return found


def note(line: Line, state: RetrievalState, studies: int = 0, expected: int = 0, received: int = 0) -> None:
    """Note what became of a line; one that was incomplete is tried again until it has been often enough."""
    attempts = line.attempts + (state is not RetrievalState.WAITING)
    if state is RetrievalState.INCOMPLETE and attempts < MAX_ATTEMPTS:
        state = RetrievalState.WAITING
    values: dict[str, object] = {
        "state": state,
        "studies": studies,
        "expected": expected,
        "received": received,
        "attempts": attempts,
    }
    if state is RetrievalState.RETRIEVED:
        values["wanted"] = Phi(None)
    Retrieval.objects.filter(pk=line.pk).update(changed_at=timezone.now(), **values)


# ---------------------------------------------------------------------------------------------- for the listener


def begin(study: str, expected: int) -> None:
    """Note that the images of a study are about to come."""
    values = {"expected": expected, "is_under_way": True, "is_whole": False, "changed_at": timezone.now()}
    RetrievedStudy.objects.update_or_create(study_digest=digest(study.encode()), defaults=values)


def end(study: str, is_whole: bool) -> None:
    """Note that no further image of a study comes for now, and whether all have."""
    row = RetrievedStudy.objects.filter(study_digest=digest(study.encode()))
    row.update(is_under_way=False, is_whole=is_whole, changed_at=timezone.now())


def has_arrived(study: str, expected: int) -> bool:
    """Return whether a folder with that many images of the study was handed over."""
    return Arrival.objects.filter(study_digest=digest(study.encode()), images__gte=max(expected, 1)).exists()


@dataclass(frozen=True, slots=True)
class Progress:
    """What the listener may know of a retrieval: whether to wait for it, and how many images make the study whole."""

    is_under_way: bool
    whole: int | None


def progress(studies: Collection[str]) -> dict[str, Progress]:
    """Return the retrievals of these studies, by Study Instance UID."""
    if not studies:
        return {}
    by_digest = {digest(study.encode()): study for study in studies}
    rows = RetrievedStudy.objects.filter(study_digest__in=by_digest)
    return {
        by_digest[row.study_digest]: Progress(row.is_under_way, row.expected if row.is_whole else None) for row in rows
    }
