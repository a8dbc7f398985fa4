"""The states of a Batch and of a Delivery, what may happen in each, and the moves between them, as data.

The tables drive the model's CHECK constraints, claims and leases, `Batch.move`, the reports, docs/states.md and the
tests. Other modules ask for a property of a state and do not name one that a batch passes through, so that a new state
is a new row. Knows no Django.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import NamedTuple


class State(StrEnum):
    """Where a Batch stands."""

    NEW = "NEW"
    QUEUE = "QUEUE"
    PROCESSING = "PROCESSING"
    REVIEW = "REVIEW"
    DONEPROCESSING = "DONEPROCESSING"
    UPLOADING = "UPLOADING"
    DONE = "DONE"
    EMPTY = "EMPTY"
    ERROR = "ERROR"
    WITHDRAWN = "WITHDRAWN"


class Job(Enum):
    """What a worker does to a batch under a lease."""

    PROCESS = auto()
    DELIVER = auto()

    @property
    def waiting(self) -> State:
        """The state from which the job claims a batch."""
        return _CLAIMABLE[self]

    @property
    def working(self) -> State:
        """The state of a batch while the job works on it."""
        return _WORKED_ON[self]


class Mover(StrEnum):
    """Who moves a batch on."""

    INTAKE = "intake"
    WORKER = "a worker"
    PERSON = "a person"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class StateProperties:
    """What a state means and what may happen in it."""

    meaning: str
    moved_on_by: Mover
    claimable_by: Job | None = None
    """The job whose workers claim batches from this state."""
    worked_on_by: Job | None = None
    """The job that holds a lease on a batch in this state."""
    has_archive: bool = False
    """Whether an archive was made of the batch, and counts."""
    is_counted: bool = False
    """Whether every file of the batch has its outcome."""
    is_terminal: bool = False
    """Whether the batch is left alone, unless its folder changes or a person asks for more."""
    waits_for_person: bool = False
    """Whether a person has to look at the batch."""
    takes_decisions: bool = False
    """Whether what a reviewer decides about an image is carried out at once; else when the batch comes to rest."""


TABLE: dict[State, StateProperties] = {
    State.NEW: StateProperties("The folder was just added to the application.", Mover.INTAKE),
    State.QUEUE: StateProperties("The batch waits for a worker.", Mover.WORKER, claimable_by=Job.PROCESS),
    State.PROCESSING: StateProperties(
        "A worker imports, screens and de-identifies the batch.", Mover.WORKER, worked_on_by=Job.PROCESS
    ),
    State.REVIEW: StateProperties(
        "The archive is made; images in it wait until a person has looked at them.",
        Mover.PERSON,
        has_archive=True,
        is_counted=True,
        waits_for_person=True,
        takes_decisions=True,
    ),
    State.DONEPROCESSING: StateProperties(
        "The archive and its rows are made and wait for delivery.",
        Mover.WORKER,
        claimable_by=Job.DELIVER,
        has_archive=True,
        is_counted=True,
    ),
    State.UPLOADING: StateProperties(
        "A worker delivers the archive and its rows.",
        Mover.WORKER,
        worked_on_by=Job.DELIVER,
        has_archive=True,
        is_counted=True,
    ),
    State.DONE: StateProperties(
        "The archive is stored and its rows are loaded.",
        Mover.INTAKE,
        has_archive=True,
        is_counted=True,
        is_terminal=True,
        takes_decisions=True,
    ),
    State.EMPTY: StateProperties(
        "No image passed the filters, or a person must look at each first; there is nothing to deliver.",
        Mover.PERSON,
        is_counted=True,
        is_terminal=True,
        takes_decisions=True,
    ),
    State.ERROR: StateProperties(
        "Nothing is delivered; a person decides, and `retry` queues the batch again.",
        Mover.PERSON,
        is_counted=True,
        is_terminal=True,
        waits_for_person=True,
        takes_decisions=True,
    ),
    State.WITHDRAWN: StateProperties(
        "The study was withdrawn: its archives and rows are removed, and nothing of it leaves.",
        Mover.PERSON,
        is_counted=True,
        is_terminal=True,
    ),
}

_CLAIMABLE = {row.claimable_by: state for state, row in TABLE.items() if row.claimable_by}
_WORKED_ON = {row.worked_on_by: state for state, row in TABLE.items() if row.worked_on_by}

FIRST = State.NEW
"""The state of a batch that nobody has queued yet."""

WAITING = tuple(state for state, row in TABLE.items() if row.claimable_by)
"""States from which a worker claims a batch."""

WORKING = tuple(state for state, row in TABLE.items() if row.worked_on_by)
"""States in which a worker holds a batch's lease."""

TERMINAL = tuple(state for state, row in TABLE.items() if row.is_terminal)
"""States in which a batch is left alone, unless its folder changes or a person asks for more."""

COUNTED = tuple(state for state, row in TABLE.items() if row.is_counted)
"""States in which every file of the batch has its outcome."""

WITH_ARCHIVE = tuple(state for state, row in TABLE.items() if row.has_archive)
"""States of batches of which an archive was made that counts."""

DELIVERED = tuple(state for state, row in TABLE.items() if row.is_terminal and row.has_archive)
"""States of batches that have nothing left to deliver."""
TAKES_DECISIONS = tuple(state for state, row in TABLE.items() if row.takes_decisions)
"""States in which a reviewer's decision is carried out at once."""

WAITING_FOR_PERSON = tuple(state for state, row in TABLE.items() if row.waits_for_person)
"""States in which a batch waits until a person has looked at it."""


HELD_BACK = next(state for state, row in TABLE.items() if row.has_archive and row.waits_for_person)
"""The state of a batch whose archive is delivered only after a person has looked at its images."""


class Move(NamedTuple):
    """A legal move, and what causes it."""

    source: State
    target: State
    cause: str


RETRIED = "retry"
"""The cause of the moves that a person starts."""

RETRIED_DELIVERY = "retry, where another destination has the archive"
"""The cause of the move by which a person has a destination tried again."""

WITHDREW = "withdraw"
"""The cause of the moves by which a study stays out."""

MADE_AGAIN = "the study is made again"
"""The cause of the moves by which a person has a study made again, whole."""

SCREENED_AGAIN = "withheld files are screened again"
"""The cause of the moves by which a person has withheld files looked at again."""

REVIEWED = "the last of its images was released"
"""The cause of the move by which a batch that waited for a reviewer is delivered."""

DECIDED = "a reviewer's decision is carried out"
"""The cause of the moves by which images that a reviewer decided about are processed."""

GREW = "the folder changed after delivery"
"""The cause of the moves by which what came later is taken up."""

MOVES: tuple[Move, ...] = (
    Move(State.NEW, State.QUEUE, "queued"),
    Move(State.QUEUE, State.PROCESSING, "claimed by a worker"),
    Move(State.PROCESSING, State.QUEUE, "released: stop asked, folder changed, service down or disk full"),
    Move(State.PROCESSING, State.DONEPROCESSING, "at least one image is in the archive"),
    Move(State.PROCESSING, State.REVIEW, "images in the archive wait for a reviewer"),
    Move(State.PROCESSING, State.EMPTY, "every file was filtered"),
    Move(State.PROCESSING, State.DONE, "nothing is left to deliver beside the earlier parts"),
    Move(State.PROCESSING, State.ERROR, "the batch cannot be de-identified"),
    Move(State.REVIEW, State.DONEPROCESSING, REVIEWED),
    Move(State.REVIEW, State.QUEUE, DECIDED),
    Move(State.DONEPROCESSING, State.UPLOADING, "claimed by a worker"),
    Move(
        State.DONEPROCESSING,
        State.QUEUE,
        "the folder changed before delivery, or the host that has the archive is gone",
    ),
    Move(State.UPLOADING, State.DONE, "stored and loaded"),
    Move(State.UPLOADING, State.DONEPROCESSING, "released: stop asked, folder changed, service down or disk full"),
    Move(State.UPLOADING, State.ERROR, "a destination or the warehouse refuses the batch, and none is left to try"),
    Move(State.ERROR, State.QUEUE, RETRIED),
    Move(State.ERROR, State.DONEPROCESSING, RETRIED_DELIVERY),
    Move(State.EMPTY, State.QUEUE, RETRIED),
    Move(State.DONE, State.QUEUE, GREW),
    Move(State.EMPTY, State.QUEUE, GREW),
    Move(State.DONE, State.QUEUE, DECIDED),
    Move(State.EMPTY, State.QUEUE, DECIDED),
    Move(State.DONE, State.QUEUE, SCREENED_AGAIN),
    Move(State.DONE, State.QUEUE, MADE_AGAIN),
    Move(State.EMPTY, State.QUEUE, MADE_AGAIN),
    Move(State.WITHDRAWN, State.QUEUE, MADE_AGAIN),
    Move(State.NEW, State.WITHDRAWN, WITHDREW),
    Move(State.QUEUE, State.WITHDRAWN, WITHDREW),
    Move(State.PROCESSING, State.WITHDRAWN, WITHDREW),
    Move(State.REVIEW, State.WITHDRAWN, WITHDREW),
    Move(State.DONEPROCESSING, State.WITHDRAWN, WITHDREW),
    Move(State.UPLOADING, State.WITHDRAWN, WITHDREW),
    Move(State.DONE, State.WITHDRAWN, WITHDREW),
    Move(State.EMPTY, State.WITHDRAWN, WITHDREW),
    Move(State.ERROR, State.WITHDRAWN, WITHDREW),
)

LEGAL: frozenset[tuple[State, State]] = frozenset((move.source, move.target) for move in MOVES)

RETRYABLE = tuple(move.source for move in MOVES if move.cause == RETRIED)
"""States from which a person queues a batch again."""

STOPPED = tuple(state for state in WAITING_FOR_PERSON if state in RETRYABLE)
"""States in which a batch that cannot go on waits for a person to retry it."""

REDECIDED = tuple(move.source for move in MOVES if move.cause == DECIDED and TABLE[move.source].is_terminal)
"""States of batches that are processed again for what a reviewer released."""

REMAKABLE = tuple(move.source for move in MOVES if move.cause == MADE_AGAIN)
"""States of batches that may be made again."""

SCREENABLE = tuple(move.source for move in MOVES if move.cause == SCREENED_AGAIN)
"""States of batches whose withheld files may be screened again."""

GROWING = tuple(move.source for move in MOVES if move.cause == GREW)
"""States of batches whose folders are watched for what comes later."""


class DeliveryState(StrEnum):
    """Where a Delivery stands: one archive on its way to one destination."""

    WAITING = "WAITING"
    DONE = "DONE"
    ERROR = "ERROR"
    REMOVED = "REMOVED"
    LEFT = "LEFT"


@dataclass(frozen=True, slots=True)
class DeliveryProperties:
    """What a delivery's state means."""

    meaning: str
    is_pending: bool = False
    """Whether a worker still has to deliver the archive."""
    is_void: bool = False
    """Whether the archive counts no longer, so that another one may have its name."""


DELIVERY_TABLE: dict[DeliveryState, DeliveryProperties] = {
    DeliveryState.WAITING: DeliveryProperties("The archive is made and waits to be delivered.", is_pending=True),
    DeliveryState.DONE: DeliveryProperties("The archive and its rows are at the destination."),
    DeliveryState.ERROR: DeliveryProperties("The destination refuses the archive; some of it may be there."),
    DeliveryState.REMOVED: DeliveryProperties("What was delivered was removed from the destination.", is_void=True),
    DeliveryState.LEFT: DeliveryProperties(
        "The archive counts no longer, but the destination may still have it: it removes nothing, or was given up.",
        is_void=True,
    ),
}

PENDING = tuple(state for state, row in DELIVERY_TABLE.items() if row.is_pending)
"""States of deliveries that a worker still has to make."""

VOID = tuple(state for state, row in DELIVERY_TABLE.items() if row.is_void)
"""States of deliveries whose archive counts no longer."""
