"""`status`: one glance at what waits, what is done, what was withheld and why."""

from __future__ import annotations

import dataclasses
import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.conf import settings

from sendit.ground.commands import NEEDS_A_LOOK, DatabaseCommand
from sendit.ground.terminal import counted, duration, table
from sendit.pipeline.record.leases import LeaseTerms
from sendit.pipeline.record.states import Job, State
from sendit.pipeline.reports import overview as reports
from sendit.pipeline.reports import surroundings
from sendit.pipeline.reports.overview import Overview, Reason, Throughput
from sendit.pipeline.reports.surroundings import BrokerStatus, FolderCounts, ServiceStatus
from sendit.pipeline.reports.waits import Wait, waits
from sendit.projects.project import default_project

RULES = 10
"""So many rules are shown, those that withhold most."""


class Command(DatabaseCommand):
    """Show in one glance what waits, what is done, what was withheld and why."""

    help = "Show in one glance what waits, what is done, what was withheld and why."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it; exit code 1 when a batch is in ERROR, a service died or hangs, or broker or folder is missing."""
        overview, watcher, broker, folders = (
            reports.overview(),
            surroundings.watcher(settings.SITE.var),
            surroundings.broker(),
            surroundings.folders(default_project(settings.SITE)),
        )
        if options["json"]:
            shown = as_object(overview, watcher, broker, folders)
            shown["installation"] = dataclasses.asdict(surroundings.installation(settings.SITE))
            self.stdout.write(json.dumps(shown, default=str, indent=1))
        else:
            self.lines(as_text(overview, watcher, broker, folders))
        services = [one for one in (watcher, surroundings.listener(settings.SITE.var)) if one]
        if overview.needs_a_look or any(one.hangs or one.died for one in services):
            sys.exit(NEEDS_A_LOOK)
        if folders.missing or (broker and not broker.answers):
            sys.exit(NEEDS_A_LOOK)


# ---------------------------------------------------------------------------------------------- for a person


def as_text(
    overview: Overview, watcher: ServiceStatus, broker: BrokerStatus | None, folders: FolderCounts
) -> Iterator[str]:
    """Batches, then speed, watcher, broker, delivery and folders, then what was withheld and why."""
    yield from table([(state, count, _beside(overview, state)) for state, count in overview.states.items()])
    yield ""
    yield from table(list(_facts(overview, watcher, broker, folders)))
    scope = "" if overview.is_whole_history else f" (the newest {reports.RECENT_FILES:,} files)"
    if overview.withheld:
        yield from ("", f"Withheld by rule{scope}:")
        yield from table([(number, rule) for rule, number in overview.withheld[:RULES]], indent="  ")
        if len(overview.withheld) > RULES:
            yield f"  … and {counted(len(overview.withheld) - RULES, 'rule')} more: --json has them all"
    if overview.reasons:
        yield from ("", f"Errors{scope}:")
        yield from table([_why(reason) for reason in overview.reasons], indent="  ")


def _beside(overview: Overview, state: State) -> str:
    notes = [
        f"batch {oldest.batch} for {duration(oldest.seconds)}" for oldest in overview.oldest if oldest.state == state
    ]
    if state is Job.DELIVER.waiting and overview.states[state] and not settings.SITE.send_to_google:
        notes.append("resting: SENDIT_SEND_TO_GOOGLE is off")
    if state is State.ERROR and overview.states[state]:
        notes.append("see below, then `sendit retry --all-errors`")
    return ", ".join(notes)


def _facts(
    overview: Overview, watcher: ServiceStatus, broker: BrokerStatus | None, folders: FolderCounts
) -> Iterator[tuple[str, str]]:
    if overview.with_errors:
        yield "has_error", f"{counted(overview.with_errors, 'batch', 'batches')}: `sendit batch_logs --errors`"
    for code, number in sorted(overview.postponed.items()):
        yield "postponed", f"{counted(number, 'batch', 'batches')}: {Reason(code, number, 0).sentences}"
    for wait in waits(LeaseTerms.of(settings.SITE)):
        yield "waits", _wait(wait)
    if overview.lapsed:
        yield "lapsed", f"{counted(overview.lapsed, 'batch', 'batches')} of dead workers; the next worker takes over"
    yield "last hour", _speed(overview.last_hour)
    yield "latest", _speed(overview.latest)
    yield "watcher", _service(watcher, "watcher")
    listener = surroundings.listener(settings.SITE.var)
    if listener:
        yield "listener", _service(listener, "listener")
    if broker:
        yield "broker", _broker(broker)
    yield "delivery", "on" if settings.SITE.send_to_google else "off: batches rest at DONEPROCESSING"
    yield "folders", _folders(folders)
    here = surroundings.installation(settings.SITE)
    yield "VAR", f"{here.var}, keys {here.keys}"


def _wait(wait: Wait) -> str:
    """`2 batches at QUEUE for StoreDown, until 2026-01-02 03:04:05 UTC`."""
    reason = wait.code or {Job.DELIVER.waiting: "SENDIT_DELIVERY_DELAY_HOURS"}.get(wait.state, "the folder to rest")
    first, last = (f"{at:%Y-%m-%d %H:%M:%S}" for at in (wait.first_at, wait.last_at))
    until = first if first == last else f"{first} to {last}"
    return f"{counted(wait.batches, 'batch', 'batches')} at {wait.state} for {reason}, until {until} UTC"


def _speed(throughput: Throughput) -> str:
    if not throughput.batches:
        return "nothing"
    return (
        f"{counted(throughput.batches, 'batch', 'batches')}, {counted(throughput.images, 'image')}, "
        f"{throughput.images_per_second:,.1f} images/s, {throughput.megabytes_per_second:,.1f} MB/s"
    )


def _service(service: ServiceStatus, name: str) -> str:
    if not service.runs:
        return f"died without stopping; `sendit start_{name}` goes on" if service.died else "not running"
    if service.hangs:
        return f"hangs (pid {service.pid}): silent for {duration(service.silent_seconds)}"
    return f"runs (pid {service.pid})"


def _broker(broker: BrokerStatus) -> str:
    if not broker.answers:
        return Reason("BrokerDown", 0, 0).sentences
    return "answers; messages: " + ", ".join(f"{queue} {number:,}" for queue, number in broker.messages.items())


def _folders(folders: FolderCounts) -> str:
    notes = [
        f"{number:,} {what}"
        for number, what in (
            (folders.not_taken, "not taken yet"),
            (folders.being_written, "still being written (.tmp)"),
            (folders.marked_failed, "marked .err"),
            (folders.missing, "missing: see the settings of the data folders"),
        )
        if number
    ]
    return ", ".join(notes) or "all taken"


def _why(reason: Reason) -> tuple[str, str, str, str]:
    batches = counted(reason.batches, "batch", "batches") if reason.batches else ""
    files = counted(reason.files, "file") if reason.files else ""
    return reason.code, batches, files, f"{reason.what} {reason.then}"


# ---------------------------------------------------------------------------------------------- for a program


def as_object(
    overview: Overview, watcher: ServiceStatus, broker: BrokerStatus | None, folders: FolderCounts
) -> dict[str, Any]:
    """The same; times in seconds, sizes in bytes."""
    return {
        "at": overview.at.isoformat(),
        "states": {str(state): count for state, count in overview.states.items()},
        "has_error": overview.with_errors,
        "postponed": overview.postponed,
        "waits": [dataclasses.asdict(wait) for wait in waits(LeaseTerms.of(settings.SITE))],
        "lapsed": overview.lapsed,
        "oldest": {str(oldest.state): {"batch": oldest.batch, "seconds": oldest.seconds} for oldest in overview.oldest},
        "last_hour": _throughput(overview.last_hour),
        "latest": _throughput(overview.latest),
        "withheld": dict(overview.withheld),
        "errors": {
            reason.code: {"batches": reason.batches, "files": reason.files, "what": reason.what, "then": reason.then}
            for reason in overview.reasons
        },
        "is_whole_history": overview.is_whole_history,
        "watcher": _as_fields(watcher),
        "listener": _as_fields(surroundings.listener(settings.SITE.var)),
        "broker": dataclasses.asdict(broker) if broker else None,
        "delivery": settings.SITE.send_to_google,
        "folders": dataclasses.asdict(folders),
    }


def _as_fields(service: ServiceStatus | None) -> dict[str, Any] | None:
    return {"runs": service.runs, "hangs": service.hangs, **dataclasses.asdict(service)} if service else None


def _throughput(throughput: Throughput) -> dict[str, float]:
    speeds = {
        "images_per_second": throughput.images_per_second,
        "megabytes_per_second": throughput.megabytes_per_second,
    }
    return dataclasses.asdict(throughput) | speeds
