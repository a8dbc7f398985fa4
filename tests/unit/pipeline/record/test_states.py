"""The table of states: every pair is walked, and the page about it says what the table says."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from sendit.errors import BrokenPromise
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.states import LEGAL, MEANINGS, MOVES, TERMINAL, WORKING, State
from tests.support.site import Site

DOCS = Path(__file__).parents[4] / "docs"


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
        {"state": "EMPTY", "found": 1},
        {"state": "QUEUE", "lease_token": "a"},
        {"state": "PROCESSING"},
    ],
    ids=str,
)
def test_the_database_refuses_what_the_table_does_not_know(site: Site, wrong: dict[str, object]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Batch.objects.create(folder_digest="f", uid_digest="u", **wrong)


def test_every_state_can_be_reached_and_every_state_but_done_be_left() -> None:
    assert {move.target for move in MOVES} == set(State) - {State.NEW}
    assert {move.source for move in MOVES} == set(State) - {State.DONE}
    assert set(MEANINGS) == set(State)
    assert {move.cause for move in MOVES if move.source in TERMINAL} == {"retry"}


def test_the_page_says_what_the_table_says() -> None:
    page = (DOCS / "states.md").read_text()
    states = [f"| {state} | {meaning} |" for state, meaning in MEANINGS.items()]
    moves = [f"| {move.source} | {move.target} | {move.cause} |" for move in MOVES]
    rows = [line for line in page.splitlines() if line.startswith("| ") and line[2:].split(" |")[0] in set(State)]
    assert rows == states + moves
