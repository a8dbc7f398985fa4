"""What the API answers, in the words of the seeds' API where it had one."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Le, Len
from ninja import Schema


class BatchOut(Schema):
    """A batch. `uid` is the accession number for those who see identifiers, and null for others."""

    id: int
    uid: str | None
    pseudonym: str
    project: str
    status: str
    has_error: bool
    add_date: str
    modify_date: str
    found: int
    delivered: int
    filtered: int
    in_review: int
    errored: int
    errors: list[str]
    image_set: str
    """The address of the batch's images."""


class BatchPage(Schema):
    """Batches, the newest first. `next` and `previous` are addresses, or null at the ends."""

    count: int | None
    next: str | None
    previous: str | None
    results: list[BatchOut]


class ImageOut(Schema):
    """An image: a file of a batch by its number, with what became of it."""

    id: int
    uid: str
    """The name of the de-identified image in its archive; blank where there is none."""
    batch: int
    number: int
    status: str
    reason: str
    add_date: str
    modify_date: str


class ImagePage(Schema):
    """Images, the newest first."""

    count: int | None
    next: str | None
    previous: str | None
    results: list[ImageOut]


class EventOut(Schema):
    """A line of a batch's history."""

    at: str
    name: str
    actor: str
    fields: dict[str, Any]


class WithheldOut(Schema):
    """Files that were not delivered for one reason."""

    outcome: str
    reason: str
    tag: str
    numbers: list[int]


class ReportOut(Schema):
    """What became of all files of a batch."""

    batch: int
    found: int
    delivered: int
    filtered: int
    in_review: int
    errored: int
    recipe: str
    recipe_sha256: str
    withheld: list[WithheldOut]


class MetricsOut(Schema):
    """Counts, under the names of the seeds' API."""

    timestamp: str
    data_root: str | None
    data_total: int
    batches: dict[str, int]


class GbOut(Schema):
    """How much was delivered, on average."""

    gb_per_day: float
    days: int


class DoneOut(Schema):
    """What an operation did."""

    batches: list[int]
    message: str


class QueueOut(Schema):
    """How many folders became batches."""

    queued: int
    being_written: int


class QueryIn(Schema):
    """One SQL statement that reads the warehouse; of the first project that the user's roles reach, or of another."""

    sql: str
    project: str = ""


class QueryOut(Schema):
    """Columns and rows; `is_cut` where there were more rows than are answered."""

    columns: list[str]
    rows: list[list[Any]]
    is_cut: bool


class PullIn(Schema):
    """Studies that are wanted from a peer: each names `AccessionNumber`, or `PatientID` and `StudyDate`."""

    peer: str
    studies: Annotated[list[dict[str, str]], Len(1, 10_000)]
    hours: Annotated[str, Len(0, 11)] = ""
    per_hour: Annotated[int, Ge(0), Le(1_000_000)] = 0


class PullOut(Schema):
    """A pull, with how many of its studies are in each state."""

    id: int
    peer: str
    asked_by: str
    asked_at: str
    state: str
    waits_for: str
    wanted: int
    found: int
    waiting: int
    retrieved: int
    missing: int
    incomplete: int
