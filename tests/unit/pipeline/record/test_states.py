"""The table of states: every pair is walked, and the page about it says what the table says."""

from __future__ import annotations

import ast
from itertools import product
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from sendit.errors import BrokenPromise
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.states import (
    COUNTED,
    DECIDED,
    DELIVERY_TABLE,
    GREW,
    HELD_BACK,
    LEGAL,
    MADE_AGAIN,
    MOVES,
    RETRIED,
    RETRIED_DELIVERY,
    RETRYABLE,
    SCREENED_AGAIN,
    STOPPED,
    TABLE,
    TERMINAL,
    WAITING,
    WAITING_FOR_PERSON,
    WITH_ARCHIVE,
    WITHDREW,
    WORKING,
    DeliveryState,
    Job,
    Mover,
    State,
    StateProperties,
)
from tests.support.site import Site

ROOT = Path(__file__).parents[4]


def batch_in(state: State) -> Batch:
    held = {"lease_token": "a", "lease_expires_at": timezone.now()} if state in WORKING else {}
    return Batch.objects.create(folder_digest=state, uid_digest="u", state=state, **held)


@pytest.mark.parametrize(("source", "target"), list(product(State, State)))
def test_legal_moves_work_and_illegal_ones_raise(site: Site, source: State, target: State) -> None:
    batch = batch_in(source)
    terms = {"lease_token": "b", "lease_expires_at": timezone.now()} if target in WORKING else {}
    if (source, target) in LEGAL:
        assert batch.move(target, **terms)
        assert Batch.objects.get().state == batch.state == target
        assert bool(Batch.objects.get().lease_token) == (target in WORKING)
    else:
        with pytest.raises(BrokenPromise, match="IllegalMove"):
            batch.move(target, **terms)
        assert Batch.objects.get().state == source


@pytest.mark.parametrize("move", MOVES, ids=lambda move: f"{move.source}-{move.target}")
def test_of_two_who_move_a_batch_one_wins(site: Site, move: tuple[State, State, str]) -> None:
    source, target, _ = move
    terms = {"lease_token": "b", "lease_expires_at": timezone.now()} if target in WORKING else {}
    first = batch_in(source)
    second = Batch.objects.get()
    assert first.move(target, **terms)
    assert not second.move(target, **terms)


def test_a_batch_is_not_moved_under_another_token(site: Site) -> None:
    batch = batch_in(State.PROCESSING)
    Batch.objects.update(lease_token="somebody else's")
    assert not batch.move(State.DONEPROCESSING)
    assert Batch.objects.get().state == State.PROCESSING


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "LOST"},
        {"state": "DONE", "found": 2, "delivered": 1},
        {"state": "DONE", "found": 2, "delivered": 2, "in_review": 1},
        {"state": "REVIEW", "found": 2, "delivered": 1},
        {"state": "EMPTY", "found": 1},
        {"state": "QUEUE", "lease_token": "a"},
        {"state": "PROCESSING"},
    ],
    ids=str,
)
def test_the_database_refuses_what_the_table_does_not_know(site: Site, wrong: dict[str, object]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Batch.objects.create(folder_digest="f", uid_digest="u", **wrong)


def test_every_state_can_be_reached_and_left() -> None:
    assert {move.target for move in MOVES} == set(State) - {State.NEW}
    assert {move.source for move in MOVES} == set(State)
    causes = {RETRIED, RETRIED_DELIVERY, GREW, DECIDED, SCREENED_AGAIN, MADE_AGAIN, WITHDREW}
    assert {move.cause for move in MOVES if move.source in TERMINAL} == causes


# ---------------------------------------------------------------------------------------------- what may happen


def test_every_state_has_its_row() -> None:
    assert list(TABLE) == list(State)


@pytest.mark.parametrize("job", Job)
def test_a_job_claims_from_one_state_and_works_in_one(job: Job) -> None:
    assert [state for state, row in TABLE.items() if row.claimable_by is job] == [job.waiting]
    assert [state for state, row in TABLE.items() if row.worked_on_by is job] == [job.working]
    assert (job.waiting, job.working) in LEGAL, "a claim is a move"
    assert (job.working, job.waiting) in LEGAL, "and a release is one back"


def test_a_state_is_claimed_from_worked_in_or_terminal_and_never_two_of_them() -> None:
    kinds = [sum((state in WAITING, state in WORKING, state in TERMINAL)) for state in State]
    assert dict(zip(State, kinds, strict=True)) == dict.fromkeys(State, 1) | {State.NEW: 0, HELD_BACK: 0}


@pytest.mark.parametrize(("state", "row"), TABLE.items(), ids=str)
def test_who_moves_a_batch_on_follows_from_what_may_happen_in_its_state(state: State, row: StateProperties) -> None:
    assert (row.moved_on_by is Mover.WORKER) == (state in WAITING or state in WORKING)
    assert (row.moved_on_by is Mover.PERSON) == (state in (*RETRYABLE, HELD_BACK) or state is State.WITHDRAWN)
    assert (row.moved_on_by is Mover.NOBODY) == all(move.source != state for move in MOVES)


def test_only_a_person_ends_what_waits_for_a_person() -> None:
    assert WAITING_FOR_PERSON
    assert set(WAITING_FOR_PERSON) == {*STOPPED, HELD_BACK} and set(STOPPED) <= set(RETRYABLE)
    assert all(TABLE[state].moved_on_by is Mover.PERSON for state in WAITING_FOR_PERSON)


def test_what_is_counted_stays_counted_until_it_is_queued_again() -> None:
    back = {Job.PROCESS.waiting}
    assert all(target in COUNTED for source, target in LEGAL if source in COUNTED and target not in back)
    assert set(TERMINAL) | set(WITH_ARCHIVE) == set(COUNTED)


def test_a_delivery_is_claimed_worked_on_and_done_with_an_archive() -> None:
    assert set(WITH_ARCHIVE) == {HELD_BACK, Job.DELIVER.waiting, Job.DELIVER.working, State.DONE}


ASKING = [
    path
    for path in sorted((ROOT / "sendit" / "pipeline").rglob("*.py"))
    if path.name != "states.py" and "migrations" not in path.parts  # what the database once was
]
MOVING = {state.name for state in State} - {state.name for state in TERMINAL}


@pytest.mark.parametrize("path", ASKING, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_module_names_a_state_that_a_batch_passes_through(path: Path) -> None:
    named = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "State"
            and node.attr in MOVING
        )
        or (isinstance(node, ast.Constant) and node.value in MOVING)
    ]
    assert not named, f"{path.name}: lines {named} name a moving state; ask the table of states"


# ---------------------------------------------------------------------------------------------- the page


def test_the_page_says_what_the_tables_say() -> None:
    page = (ROOT / "docs" / "states.md").read_text()
    meanings = [f"| {state} | {row.meaning} |" for state, row in TABLE.items()]
    properties = [f"| {state} | {' | '.join(_properties(row))} |" for state, row in TABLE.items()]
    moves = [f"| {move.source} | {move.target} | {move.cause} |" for move in MOVES]
    deliveries = [f"| {state} | {row.meaning} |" for state, row in DELIVERY_TABLE.items()]
    states = {*State, *DeliveryState}
    rows = [line for line in page.splitlines() if line.startswith("| ") and line[2:].split(" |")[0] in states]
    assert rows == meanings + properties + moves + deliveries


def _properties(row: StateProperties) -> list[str]:
    jobs = [job.name.lower() if job else "" for job in (row.claimable_by, row.worked_on_by)]
    claims = [row.has_archive, row.is_counted, row.is_terminal, row.waits_for_person]
    return [*jobs, *("yes" if claim else "" for claim in claims), row.moved_on_by]
