"""`batch_logs`: the history of batches, and what became of their files."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from sendit.errors import CODES
from sendit.ground.commands import DatabaseCommand, WrongUse
from sendit.ground.events import in_order
from sendit.ground.logs import text_line
from sendit.ground.terminal import printable, table
from sendit.pipeline.management.naming import named
from sendit.pipeline.record.models import Batch, Event, Image, Outcome

PURGED = "(purged)"
NOTICE = "Files are told by their number in the folder's sorted listing; --reveal shows names, which identify."


class Command(DatabaseCommand):
    """Show the history of batches: events, errors by file, files withheld by rule."""

    help = "Show the history of batches: events, errors by file, files withheld by rule."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument(
            "ids", metavar="ID", nargs="*", help="a batch: its primary key, its folder's name, or its study's pseudonym"
        )
        parser.add_argument("--number", metavar="N", type=int, help="without an ID: the newest N batches (default: 10)")
        parser.add_argument("--errors", action="store_true", help="without an ID: only batches that have an error")
        parser.add_argument(
            "--reveal", action="store_true", help="show the folder and the names of files: they identify"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object a line for each batch")

    def handle(
        self, *args: Any, ids: list[str], number: int | None, errors: bool, reveal: bool, **options: Any
    ) -> None:
        """Print them, the newest first where none is named."""
        if ids and (number is not None or errors):
            raise WrongUse("--number and --errors are for when no ID is given.")
        if number is not None and number < 1:
            raise WrongUse("--number is at least 1.")
        batches = named(ids) if ids else _newest(number or 10, errors)
        for batch in batches:
            self.stdout.write(as_json(batch, reveal) if options["json"] else "\n".join(as_text(batch, reveal)))
        if not batches and not options["json"]:
            self.stdout.write("No batch has an error." if errors else "No batch yet.")
        if batches and not reveal and sys.stderr.isatty():
            self.stderr.write(NOTICE)


def _newest(number: int, only_errors: bool) -> list[Batch]:
    batches = Batch.objects.order_by("-pk")
    return list((batches.filter(has_error=True) if only_errors else batches)[: min(number, sys.maxsize)])


def as_text(batch: Batch, reveal: bool) -> Iterator[str]:
    """Its state and numbers, its errors, its events, and its files that were not delivered."""
    yield f"batch {batch.pk}  {batch.state}{'  has_error' if batch.has_error else ''}"
    if reveal:
        yield f"  folder  {printable(_folder(batch))}"
    numbers = ("found", "delivered", "filtered", "errored")
    yield "  files   " + "  ".join(f"{name} {getattr(batch, name):,}" for name in numbers)
    if batch.waits_for:
        yield f"  waits   until {batch.not_before:%Y-%m-%d %H:%M:%S}, {batch.waits_for}: {_sentences(batch.waits_for)}"
    for error in batch.errors:
        yield f"  error   {_error_line(error)}"
    for event in _events(batch):
        yield f"  {event.at:%Y-%m-%d %H:%M:%S}  {text_line(event.name, in_order(event.name, event.fields))}"
    yield from table(list(_files(batch, reveal)), indent="  ")
    yield ""


def as_json(batch: Batch, reveal: bool) -> str:
    """The same as one object."""
    about: dict[str, Any] = {
        "batch": batch.pk,
        "state": batch.state,
        "has_error": batch.has_error,
        "found": batch.found,
        "delivered": batch.delivered,
        "filtered": batch.filtered,
        "errored": batch.errored,
        "waits_for": batch.waits_for,
        "errors": batch.errors,
        "events": [{"at": event.at.isoformat(), "event": event.name, **event.fields} for event in _events(batch)],
        "files": [
            {"outcome": outcome, "reason": reason, "tag": tag, "numbers": [image.number for image in images]}
            for (outcome, reason, tag), images in _alike(batch)
        ],
    }
    if reveal:
        about["folder"] = _folder(batch)
        names = _names(batch)
        for group in about["files"]:
            group["names"] = [_name(names, number) for number in group["numbers"]]
    return json.dumps(about)


def _events(batch: Batch) -> Iterator[Event]:
    yield from Event.objects.filter(batch=batch).order_by("pk")


def _error_line(error: dict[str, Any]) -> str:
    where = f" at ({error['tag']})" if error.get("tag") else ""
    many = f" [{error['count']}]" if error.get("count") else ""
    return f"{error['code']}{where}{many} in {error.get('stage') or '?'}: {_sentences(error['code'])}"


def _sentences(code: str) -> str:
    entry = CODES.get(code)
    return f"{entry.what} {entry.then}" if entry else "A code of another version of sendit."


def _files(batch: Batch, reveal: bool) -> Iterator[tuple[str, str, str]]:
    """What was withheld and why: a line for each reason, or, revealed, for each file."""
    names = _names(batch) if reveal else []
    for (outcome, reason, tag), images in _alike(batch):
        why = f"{reason} at ({tag})" if tag else reason
        if reveal:
            yield from ((outcome, why, f"{image.number}  {_name(names, image.number)}") for image in images)
        else:
            yield (
                outcome,
                why,
                f"{'file' if len(images) == 1 else 'files'} {ranges([image.number for image in images])}",
            )


def _alike(batch: Batch) -> Iterator[tuple[tuple[str, str, str], list[Image]]]:
    """Files that were not delivered, those of one reason together."""
    withheld = Image.objects.filter(batch=batch).exclude(outcome=Outcome.DELIVERED)
    ordered = withheld.order_by("outcome", "code", "rule", "tag", "number")
    for key, images in groupby(ordered, key=lambda image: (image.outcome, image.code or image.rule, image.tag)):
        yield key, list(images)


def _folder(batch: Batch) -> str:
    return batch.folder.reveal() if hasattr(batch, "identifiers") else PURGED


def _names(batch: Batch) -> list[str]:
    files = batch.identifiers.files if hasattr(batch, "identifiers") else None
    return files.reveal() if files else []


def _name(names: Sequence[str], number: int) -> str:
    """A purged batch has no names."""
    return printable(names[number - 1]) if number <= len(names) else PURGED


def ranges(numbers: Sequence[int]) -> str:
    """`1-3, 7` for 1, 2, 3 and 7."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
