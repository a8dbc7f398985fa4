"""The states of a Batch and the moves between them, as data.

The table drives the model's CHECK constraint, `leases` and `Batch.move`, docs/states.md and the tests. Knows no Django.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """Where a Batch stands."""

    NEW = "NEW"
    QUEUE = "QUEUE"
    PROCESSING = "PROCESSING"
    DONEPROCESSING = "DONEPROCESSING"
    UPLOADING = "UPLOADING"
    DONE = "DONE"
    EMPTY = "EMPTY"
    ERROR = "ERROR"


MEANINGS: dict[State, str] = {
    State.NEW: "The folder was just added to the application.",
    State.QUEUE: "The batch waits for a worker.",
    State.PROCESSING: "A worker imports, screens and de-identifies the batch.",
    State.DONEPROCESSING: "The archive and its rows are made and wait for delivery.",
    State.UPLOADING: "A worker delivers the archive and its rows.",
    State.DONE: "The archive is stored and its rows are loaded.",
    State.EMPTY: "No image passed the filters; there is nothing to deliver.",
    State.ERROR: "Nothing is delivered; a person decides, and `retry` queues the batch again.",
}


class Move(NamedTuple):
    """A legal move, and what causes it."""

    source: State
    target: State
    cause: str


MOVES: tuple[Move, ...] = (
    Move(State.NEW, State.QUEUE, "queued"),
    Move(State.QUEUE, State.PROCESSING, "claimed by a worker"),
    Move(State.PROCESSING, State.QUEUE, "released: stop asked, folder changed, service down or disk full"),
    Move(State.PROCESSING, State.DONEPROCESSING, "at least one image is in the archive"),
    Move(State.PROCESSING, State.EMPTY, "every file was filtered"),
    Move(State.PROCESSING, State.ERROR, "the batch cannot be de-identified"),
    Move(State.DONEPROCESSING, State.UPLOADING, "claimed by a worker"),
    Move(State.DONEPROCESSING, State.QUEUE, "the folder changed before delivery"),
    Move(State.UPLOADING, State.DONE, "stored and loaded"),
    Move(State.UPLOADING, State.DONEPROCESSING, "released: stop asked, folder changed, service down or disk full"),
    Move(State.UPLOADING, State.ERROR, "the store or the warehouse refuses the batch"),
    Move(State.ERROR, State.QUEUE, "retry"),
    Move(State.EMPTY, State.QUEUE, "retry"),
)

LEGAL: frozenset[tuple[State, State]] = frozenset((move.source, move.target) for move in MOVES)

WAITING = (State.QUEUE, State.DONEPROCESSING)
"""States from which a worker claims a batch."""

WORKING = (State.PROCESSING, State.UPLOADING)
"""States in which a worker holds a batch's lease."""

TERMINAL = (State.DONE, State.EMPTY, State.ERROR)
"""States that sendit never leaves by itself."""

COUNTED = (State.DONEPROCESSING, State.UPLOADING, *TERMINAL)
"""States in which every file of the batch has its outcome."""
