"""The API's addresses for pulls. The studies that a request names are encrypted at once and never answered."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from django.http import HttpRequest
from ninja import Router

from sendit.audit.acts import Act
from sendit.errors import Misconfigured
from sendit.receiving.retrieving import pulls as keeping
from sendit.receiving.retrieving.cohort import Wanted, parse_cohort
from sendit.receiving.retrieving.pulls import PullReport
from sendit.web.access import person
from sendit.web.api.bounds import Key
from sendit.web.api.schemas import PullIn, PullOut
from sendit.web.eyes import Eyes
from sendit.web.noting import note
from sendit.web.pages.pulls import are_hours, in_reach, of_reach, retrievable
from sendit.web.problems import NothingHere

router = Router(tags=["pulls"])


@router.get("/pulls", response=list[PullOut], url_name="pulls")
def pulls(request: HttpRequest) -> list[PullOut]:
    """The newest pulls."""
    eyes = Eyes.of(request)
    return [_shown(one, eyes) for one in of_reach(request, keeping.reports())]


@router.post("/pulls", response=PullOut, url_name="pulls")
def ask(request: HttpRequest, wish: PullIn) -> PullOut:
    """Ask for studies from a PACS; the listener retrieves them. What was retrieved before is not asked for again."""
    if wish.peer not in retrievable(request):
        raise NothingHere
    if not are_hours(wish.hours):
        raise Misconfigured("BadCohort", subject="hours")
    cohort = _cohort(wish.studies)
    note(request, Act.PULL, reason=f"{len(cohort)} lines from {wish.peer}")
    return _found(request, keeping.ask(wish.peer, cohort, person(request).name, wish.hours, wish.per_hour))


def _cohort(studies: Iterable[Mapping[str, str]]) -> list[Wanted]:
    """Read studies as the lines of a list, which may name them in different ways. Raises Misconfigured("BadCohort")."""
    wanted = {one: None for study in studies for one in parse_cohort(_csv(study))}
    if not wanted:
        raise Misconfigured("BadCohort", subject="no study")
    return list(wanted)


def _csv(study: Mapping[str, str]) -> io.StringIO:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([study.keys(), study.values()])
    text.seek(0)
    return text


@router.get("/pulls/{key}", response=PullOut, url_name="pull")
def pull(request: HttpRequest, key: Key) -> PullOut:
    """One pull."""
    return _found(request, key)


@router.post("/pulls/{key}/stop", response=PullOut, url_name="pull-stop")
def stop(request: HttpRequest, key: Key) -> PullOut:
    """Stop a pull after the study that is under way."""
    if in_reach(request, key) and keeping.stop(key):
        note(request, Act.PULL, reason=f"stopped pull {key}")
    return _found(request, key)


@router.post("/pulls/{key}/go-on", response=PullOut, url_name="pull-go-on")
def go_on(request: HttpRequest, key: Key) -> PullOut:
    """Try again what is missing or incomplete, and what was not tried yet."""
    if in_reach(request, key) and keeping.go_on(key):
        note(request, Act.PULL, reason=f"went on with pull {key}")
    return _found(request, key)


def _found(request: HttpRequest, key: int) -> PullOut:
    found = in_reach(request, key)
    if found is None:
        raise NothingHere
    return _shown(found, Eyes.of(request))


def _shown(one: PullReport, eyes: Eyes) -> PullOut:
    return PullOut(
        id=one.pk, peer=one.peer, asked_by=one.asked_by, asked_at=eyes.moment(one.asked_at), state=one.state,
        waits_for=one.waits_for, wanted=one.wanted, found=one.found, waiting=one.waiting, retrieved=one.retrieved,
        missing=one.missing, incomplete=one.incomplete,
    )  # fmt: skip
