"""The API's operations on studies: taken back, let in again and made again. Each needs a reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from annotated_types import MaxLen, MinLen
from django.http import HttpRequest
from ninja import Router, Schema

from sendit.audit.acts import Act
from sendit.phi import Phi
from sendit.pipeline import operations
from sendit.pipeline.operations import Remade, Withdrawal
from sendit.pipeline.reports import batches
from sendit.web.access import person
from sendit.web.api.bounds import Key, Reason
from sendit.web.noting import note
from sendit.web.problems import NothingHere
from sendit.web.site import projects

MOST_LINES = 200
"""So many studies are withdrawn by one request; each may take a second."""


router = Router(tags=["studies"])


class ReasonIn(Schema):
    """Why; it stands in the history."""

    reason: Reason


class WithdrawIn(ReasonIn):
    """Accession numbers, folder names or pseudonyms."""

    lines: Annotated[list[str], MinLen(1), MaxLen(MOST_LINES)]


class RedeliverIn(ReasonIn):
    """Which studies are made again, and whether that is only to be said."""

    dry_run: bool = False


class RedeliverManyIn(RedeliverIn):
    """The same by the SHA-256 of the recipe that made them, by project, or by their batches."""

    recipe_sha256: str = ""
    project: str = ""
    batches: Annotated[list[Key], MaxLen(MOST_LINES)] = []


class WithdrawnOut(Schema):
    """What became of a study; `is_complete` where nothing of it is left anywhere."""

    batches: list[int]
    archives: int
    at_work: list[int]
    hosts: list[str]
    codes: list[str]
    """Why something is still there."""
    left: list[str]
    """Where images are that nobody can remove from here."""
    is_complete: bool


class WithdrawnListOut(Schema):
    """What became of each study, and the numbers of the lines that name none."""

    studies: list[WithdrawnOut]
    unknown_lines: list[int]


class RemadeOut(Schema):
    """What becomes of a study; `missing` has the batches for which it is left alone."""

    batches: list[int]
    generation: int
    images: int
    recipes: list[str]
    missing: list[int]
    is_made_again: bool


@router.post("/batches/{key}/withdraw", response=WithdrawnOut, url_name="batch-withdraw")
def withdraw_batch(request: HttpRequest, key: Key, asked: ReasonIn) -> WithdrawnOut:
    """Remove all that was delivered of a batch's study, and keep the study out."""
    _ensure_there(key)
    note(request, Act.WITHDRAW, [key])
    return _withdrawn(operations.withdraw(key, asked.reason, projects(), person(request).name))


@router.post("/batches/{key}/readmit", response=RemadeOut, url_name="batch-readmit")
def readmit_batch(request: HttpRequest, key: Key, asked: ReasonIn) -> RemadeOut:
    """Let a withdrawn study in again, as its next generation."""
    _ensure_there(key)
    note(request, Act.READMIT, [key])
    remade = operations.readmit(key, asked.reason, person(request).name)
    if remade is None:
        return RemadeOut(batches=[key], generation=0, images=0, recipes=[], missing=[], is_made_again=False)
    return _remade(remade)


@router.post("/batches/{key}/redeliver", response=list[RemadeOut], url_name="batch-redeliver")
def redeliver_batch(request: HttpRequest, key: Key, asked: RedeliverIn) -> list[RemadeOut]:
    """Make a batch's study again, whole; none where it is withdrawn or was never made."""
    _ensure_there(key)
    return _made_again(request, operations.studies_of([key]), asked)


@router.post("/withdraw", response=WithdrawnListOut, url_name="withdraw")
def withdraw(request: HttpRequest, asked: WithdrawIn) -> WithdrawnListOut:
    """Withdraw the studies that the lines name. A line is only known by its number, from 1."""
    note(request, Act.WITHDRAW, reason=f"{len(asked.lines)} lines")
    studies, unknown = [], []
    for number, line in enumerate(asked.lines, 1):
        done = (
            operations.withdraw_meant(Phi(line), asked.reason, projects(), person(request).name) if line.strip() else []
        )
        studies += _noted(request, done)
        unknown += [] if done else [number]
    return WithdrawnListOut(studies=studies, unknown_lines=unknown)


@router.post("/opt-out", response=WithdrawnListOut, url_name="opt-out")
def opt_out(request: HttpRequest, asked: ReasonIn) -> WithdrawnListOut:
    """Withdraw all studies of the patients in the list OPT_OUT."""
    note(request, Act.WITHDRAW, reason="patients who opted out")
    done = operations.withdraw_opted_out(asked.reason, projects(), person(request).name)
    return WithdrawnListOut(studies=_noted(request, done), unknown_lines=[])


@router.post("/redeliver", response=list[RemadeOut], url_name="redeliver")
def redeliver(request: HttpRequest, asked: RedeliverManyIn) -> list[RemadeOut]:
    """Make the studies again that a recipe made, of a project, or of some batches."""
    found = operations.studies_of(asked.batches, asked.project, asked.recipe_sha256)
    return _made_again(request, found, asked)


def _ensure_there(key: int) -> None:
    if batches.report(key) is None:
        raise NothingHere


def _noted(request: HttpRequest, done: Iterable[Withdrawal]) -> list[WithdrawnOut]:
    found = []
    for withdrawal in done:
        note(request, Act.WITHDRAW, withdrawal.batches)
        found.append(_withdrawn(withdrawal))
    return found


def _made_again(request: HttpRequest, studies: list[int], asked: RedeliverIn) -> list[RemadeOut]:
    if not asked.dry_run:
        note(request, Act.REDELIVER, reason=f"{len(studies)} studies")
    name = person(request).name
    return [_remade(one) for one in operations.redeliver(studies, asked.reason, name, is_dry_run=asked.dry_run)]


def _withdrawn(done: Withdrawal) -> WithdrawnOut:
    return WithdrawnOut(
        batches=list(done.batches),
        archives=done.archives,
        at_work=list(done.at_work),
        hosts=list(done.hosts),
        codes=[refusal.code for refusal in done.refusals],
        left=list(done.left),
        is_complete=done.is_complete,
    )


def _remade(remade: Remade) -> RemadeOut:
    return RemadeOut(
        batches=list(remade.batches),
        generation=remade.generation,
        images=remade.images,
        recipes=list(remade.recipes),
        missing=list(remade.missing),
        is_made_again=not remade.is_left_alone,
    )
