"""`batch_logs`: shows the history of batches and what became of their files."""

from __future__ import annotations

import dataclasses
import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings

from sendit.audit.acts import Act
from sendit.audit.trail import Actor, AuditKey, note
from sendit.ground.commands import DatabaseCommand, WrongUse
from sendit.ground.events import in_order
from sendit.ground.logs import text_line
from sendit.ground.terminal import counted, printable, table
from sendit.pipeline.management.naming import NUMBERS, named, numbers_of
from sendit.pipeline.operations import COMMAND
from sendit.pipeline.record.states import DeliveryState
from sendit.pipeline.reports import batches
from sendit.pipeline.reports.batches import (
    BatchDelivery,
    BatchError,
    BatchEvent,
    BatchFilter,
    BatchReport,
    Identified,
)

PURGED = "(purged)"
NOTICE = (
    "A file's number is its place in the folder's sorted listing. --reveal shows names, which may identify a patient."
)


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
            "--reveal", action="store_true", help="show the folder and the names of files, which may identify a patient"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object per line for each batch")

    def handle(
        self, *args: Any, ids: list[str], number: int | None, errors: bool, reveal: bool, **options: Any
    ) -> None:
        """Print them, the newest first where none is named."""
        if ids and (number is not None or errors):
            raise WrongUse("--number and --errors are for when no ID is given.")
        if number is not None and number < 1:
            raise WrongUse("--number is at least 1.")
        keys = named(ids) if ids else _newest(number or 10, errors)
        if reveal and keys:
            audit_key = AuditKey.of(settings.SITE.secrets_folder, settings.SITE.var)
            note(audit_key, Act.VIEW_BATCH, Actor(COMMAND), [("batch", key) for key in keys])
        for key in keys:
            self._show(key, reveal, options["json"])
        if not keys and not options["json"]:
            self.stdout.write("No batch has an error." if errors else "No batch yet.")
        if keys and not reveal and sys.stderr.isatty():
            self.stderr.write(NOTICE)

    def _show(self, key: int, reveal: bool, as_object: bool) -> None:
        report, shown = batches.report(key), batches.identified(key) if reveal else None
        if report:
            self.stdout.write(as_json(report, shown) if as_object else "\n".join(as_text(report, shown)))


def _newest(number: int, only_errors: bool) -> list[int]:
    page = batches.page(BatchFilter(has_error=only_errors), size=min(number, sys.maxsize - 1))
    return [summary.batch for summary in page.batches]


def as_text(report: BatchReport, shown: Identified | None) -> Iterator[str]:
    """Its state and numbers, its errors, its events, and its files that were not delivered."""
    about = report.summary
    yield f"batch {about.batch}  {about.state}{'  has_error' if about.has_error else ''}"
    if shown:
        yield f"  folder  {printable(_folder(shown))}"
    yield "  files   " + "  ".join(numbers_of(about))
    if about.waits_for:
        moment = f"{about.not_before:%Y-%m-%d %H:%M:%S}"
        yield f"  waits   until {moment}, {about.waits_for}: {batches.sentences(about.waits_for)}"
    yield from _parts(report)
    for error in about.errors:
        yield f"  error   {_error_line(error)}"
    for event in report.events:
        yield f"  {event.at:%Y-%m-%d %H:%M:%S}  {text_line(event.name, _fields(event))}"
    yield from table(list(_files(report, shown)), indent="  ")
    yield ""


def _part(one: BatchDelivery) -> dict[str, Any]:
    at = one.delivered_at.isoformat() if one.delivered_at else None
    return dataclasses.asdict(one) | {"delivered_at": at}


def as_json(report: BatchReport, shown: Identified | None) -> str:
    """The same as one object."""
    about = report.summary
    said: dict[str, Any] = {
        "batch": about.batch,
        "state": about.state,
        "has_error": about.has_error,
        **{name: getattr(about, name) for name in NUMBERS},
        "waits_for": about.waits_for,
        "errors": [dataclasses.asdict(error) for error in about.errors],
        "events": [{"at": event.at.isoformat(), "event": event.name, **_fields(event)} for event in report.events],
        "parts": [_part(one) for one in report.deliveries],
        "files": [dataclasses.asdict(group) for group in report.withheld],
    }
    if shown:
        said["folder"] = _folder(shown)
        for group in said["files"]:
            group["names"] = [_name(shown, number) for number in group["numbers"]]
    return json.dumps(said)


def _parts(report: BatchReport) -> Iterator[str]:
    """The batch's archives, unless the batch's state says all: of the first one of a study for one destination."""
    usual, are_few = (DeliveryState.WAITING, DeliveryState.DONE), len(report.deliveries) <= 1
    if are_few and all((one.part, one.generation) == (1, 1) and one.state in usual for one in report.deliveries):
        return
    for one in report.deliveries:
        made = "" if one.generation == 1 else f", generation {one.generation}"
        why = f": {one.code}" if one.code else ""
        yield f"  part    {one.part}{made}: {one.state}, {counted(one.images, 'image')}, to {one.destination}{why}"


def _fields(event: BatchEvent) -> dict[str, Any]:
    """Who caused it stands last, where it was not a worker."""
    return {**in_order(event.name, event.fields), **({"actor": event.actor} if event.actor else {})}


def _error_line(error: BatchError) -> str:
    where = f" at ({error.tag})" if error.tag else ""
    many = f" [{error.count}]" if error.count else ""
    return f"{error.code}{where}{many} in {error.stage or '?'}: {error.sentences}"


def _files(report: BatchReport, shown: Identified | None) -> Iterator[tuple[str, str, str]]:
    """What was withheld and why: a line for each reason, or, revealed, for each file."""
    for group in report.withheld:
        why = f"{group.reason} at ({group.tag})" if group.tag else group.reason
        if shown:
            yield from ((group.outcome, why, f"{number}  {_name(shown, number)}") for number in group.numbers)
        else:
            yield group.outcome, why, f"{'file' if len(group.numbers) == 1 else 'files'} {ranges(group.numbers)}"


def _folder(shown: Identified) -> str:
    return shown.folder.reveal() if shown.folder else PURGED


def _name(shown: Identified, number: int) -> str:
    """A purged batch has no names."""
    names = shown.names.reveal()
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
