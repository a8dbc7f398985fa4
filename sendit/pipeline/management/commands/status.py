"""`status`: shows what waits, what is done, what was withheld and why."""

from __future__ import annotations

import dataclasses
import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings

from sendit.ground.commands import NEEDS_A_LOOK, DatabaseCommand
from sendit.ground.terminal import counted, duration, gigabytes, megabytes, rates, table
from sendit.pipeline.record.leases import LeaseTerms
from sendit.pipeline.record.states import DeliveryState, Job, State
from sendit.pipeline.reports import overview as reports
from sendit.pipeline.reports import surroundings
from sendit.pipeline.reports.overview import InReview, Overview, Reason, Throughput
from sendit.pipeline.reports.pixels import are_freed_by_the_extra
from sendit.pipeline.reports.projects import held
from sendit.pipeline.reports.readiness import WELL, Refusal, refusal
from sendit.pipeline.reports.surroundings import BrokerStatus, FolderCounts, ServiceStatus
from sendit.pipeline.reports.waits import Elsewhere, Wait, elsewhere, undelivered, waits
from sendit.projects.composition import Projects

RULES = 10
"""So many rules are shown, those that withhold most."""
KEYS, LISTED = 3, 100
"""So many batches with a code are named, to a person and to a program."""


REFUSED = {
    Refusal.FULL: "Free space on its disk.",
    Refusal.LOCKED: "Another process has written to it for long; if that is no process of sendit, end it.",
    Refusal.READ_ONLY: "Check its permissions, and whether it is a standby.",
    Refusal.OTHER: "Look at its log, its disk and its permissions.",
}
"""What to do where the database takes no writing."""


class Command(DatabaseCommand):
    """Show in one glance what waits, what is done, what was withheld and why."""

    help = "Show in one glance what waits, what is done, what was withheld and why."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it; exit code 1 when a batch is in ERROR, a service died or hangs, the database takes no writing, or
        broker or folder is missing.
        """
        refused, projects = refusal(), Projects(settings.SITE)
        overview, watcher, broker, folders = (
            reports.overview(),
            surroundings.watcher(settings.SITE.var),
            surroundings.broker(),
            surroundings.folders(projects),
        )
        if options["json"]:
            shown = as_object(overview, watcher, broker, folders)
            space = surroundings.space(settings.SITE.var)
            shown["database"] = refused or WELL
            shown["space"] = dataclasses.asdict(space) if space else None
            shown["installation"] = dataclasses.asdict(surroundings.installation(settings.SITE))
            self.stdout.write(json.dumps(shown, default=str, indent=1))
        else:
            self.lines(as_text(overview, watcher, broker, folders))
            if refused:
                self.lines(["", f"The database is {refused}. {REFUSED[refused]} Work waits and continues by itself."])
        services = [one for one in (watcher, surroundings.listener(settings.SITE.var)) if one]
        if overview.needs_a_look or any(one.hangs or one.died for one in services):
            sys.exit(NEEDS_A_LOOK)
        if refused or folders.missing or (broker and not broker.answers):
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
        if are_freed_by_the_extra((rule for rule, _ in overview.withheld), Projects(settings.SITE)):
            yield "  Images that may show text pass once they are looked at: pip install 'sendit[pixels]', then retry."
    if overview.reasons:
        yield from ("", f"Errors{scope}:")
        for reason in overview.reasons:
            yield from _why(reason)


def _beside(overview: Overview, state: State) -> str:
    notes = [
        f"batch {oldest.batch} for {duration(oldest.seconds)}" for oldest in overview.oldest if oldest.state == state
    ]
    if state is Job.DELIVER.waiting and overview.states[state] and not settings.SITE.send_to_google:
        notes.append("resting: SENDIT_SEND_TO_GOOGLE is off")
    if state is State.ERROR and overview.states[state]:
        notes.append("see Errors below")
    return ", ".join(notes)


def _facts(
    overview: Overview, watcher: ServiceStatus, broker: BrokerStatus | None, folders: FolderCounts
) -> Iterator[tuple[str, str]]:
    if overview.with_errors:
        yield "has_error", f"{counted(overview.with_errors, 'batch', 'batches')}: `sendit batch_logs --errors`"
    if overview.not_removed:
        said = f"{counted(overview.not_removed, 'study', 'studies')} not removed everywhere"
        yield "withdrawn", f"{said}: `sendit withdraw --unfinished --reason R`"
    if overview.in_review.images:
        yield "in review", _in_review(overview.in_review)
    for code, number in sorted(overview.postponed.items()):
        yield "postponed", f"{counted(number, 'batch', 'batches')}: {Reason(code).sentences}"
    for wait in waits(LeaseTerms.of(settings.SITE)):
        yield "waits", _wait(wait)
    for host in elsewhere(LeaseTerms.of(settings.SITE)):
        yield "waits", _elsewhere(host)
    for one in held(Projects(settings.SITE)):
        yield "project", f"{one.name}, {counted(one.batches, 'batch', 'batches')} waiting: {one.why}"
    for trouble in undelivered():
        waits_or_is_refused = "wait for it" if trouble.state is DeliveryState.WAITING else "refused"
        said = f"{counted(trouble.archives, 'archive')} {waits_or_is_refused}, {trouble.code}"
        yield "destination", f"{trouble.destination}: {said}"
    if overview.lapsed:
        yield "lapsed", f"{counted(overview.lapsed, 'batch', 'batches')} of dead workers; the next worker takes over"
    yield "last hour", _amount(overview.last_hour)
    yield "latest", _speed(overview.latest)
    yield "watcher", _service(watcher, "watcher")
    listener = surroundings.listener(settings.SITE.var)
    if listener:
        yield "listener", _service(listener, "listener")
    if broker:
        yield "broker", _broker(broker)
    yield "delivery", _delivery()
    yield "folders", _folders(folders)
    yield from _beside_the_folders(folders)
    yield from _space()
    here = surroundings.installation(settings.SITE)
    yield "VAR", f"{here.var}, keys {here.keys}"


def _in_review(waiting: InReview) -> str:
    images, batches = counted(waiting.images, "image"), counted(waiting.batches, "batch", "batches")
    return f"{images} of {batches}, batch {waiting.oldest} for {duration(waiting.seconds)}: `sendit release|reject`"


def _delivery() -> str:
    if not settings.SITE.send_to_google:
        return "off: batches rest at DONEPROCESSING"
    return "paused: batches rest at DONEPROCESSING until `sendit resume`" if surroundings.delivery_is_paused() else "on"


def _wait(wait: Wait) -> str:
    """`2 batches at QUEUE for StoreDown, until 2026-01-02 03:04:05 UTC`."""
    reason = wait.code or {Job.DELIVER.waiting: "SENDIT_DELIVERY_DELAY_HOURS"}.get(wait.state, "the folder to rest")
    first, last = (f"{at:%Y-%m-%d %H:%M:%S}" for at in (wait.first_at, wait.last_at))
    until = first if first == last else f"{first} to {last}"
    return f"{counted(wait.batches, 'batch', 'batches')} at {wait.state} for {reason}, until {until} UTC"


def _elsewhere(host: Elsewhere) -> str:
    """`2 batches at DONEPROCESSING for host alpha, which was heard of 12 s ago`."""
    waiting = f"{counted(host.batches, 'batch', 'batches')} at {Job.DELIVER.waiting} for host {host.host}"
    heard = f"{waiting}, which was heard of {duration(host.silent_seconds)} ago"
    return f"{heard}: made again by a host that has the originals" if host.is_gone else heard


def _amount(throughput: Throughput) -> str:
    """`2 batches, 10 images, 5.2 MB`."""
    if not throughput.batches:
        return "nothing"
    batches, images = counted(throughput.batches, "batch", "batches"), counted(throughput.images, "image")
    return f"{batches}, {images}, {megabytes(throughput.input_bytes)}"


def _speed(throughput: Throughput) -> str:
    speeds = rates(throughput.seconds, images=throughput.images, bytes_=throughput.input_bytes)
    return ", ".join([_amount(throughput), *speeds])


def _service(service: ServiceStatus, name: str) -> str:
    if not service.runs:
        return f"died without stopping; `sendit start_{name}` goes on" if service.died else "not running"
    if service.hangs:
        return f"hangs (pid {service.pid}): silent for {duration(service.silent_seconds)}"
    return f"runs (pid {service.pid})"


def _broker(broker: BrokerStatus) -> str:
    if not broker.answers:
        return Reason("BrokerDown").sentences
    return "answers; messages: " + ", ".join(f"{queue} {number:,}" for queue, number in broker.messages.items())


def _folders(folders: FolderCounts) -> str:
    notes = [
        f"{number:,} {what}"
        for number, what in (
            (folders.not_taken, "new"),
            (folders.being_written, "still being written (.tmp)"),
            (folders.marked_failed, "marked .err"),
            (folders.missing, "missing: see the settings of the data folders"),
        )
        if number
    ]
    return ", ".join(notes) or "none new"


def _beside_the_folders(folders: FolderCounts) -> Iterator[tuple[str, str]]:
    """What no batch takes, and what makes studies of it."""
    files, archives = folders.files - folders.archives, folders.archives
    said = [counted(files, "file")] if files else []
    said += [counted(archives, "archive")] if archives else []
    if said:
        yield "stray", f"{' and '.join(said)} beside the study folders: `sendit sort FILE` makes study folders of them"
    if folders.links:
        yield "stray", f"{counted(folders.links, 'symbolic link')} beside the study folders, which nothing follows"
    if folders.of_folders:
        which = counted(folders.of_folders, "new folder holds", "new folders hold")
        yield "stray", f"{which} only folders; if that is more than one study, move it out and use `sendit sort`"


def _space() -> Iterator[tuple[str, str]]:
    found = surroundings.space(settings.SITE.var)
    if found:
        share = 100 * found.free_bytes / max(1, found.total_bytes)
        yield "space", f"{gigabytes(found.free_bytes)} free of {gigabytes(found.total_bytes)} ({share:.0f} %)"


def _why(reason: Reason) -> Iterator[str]:
    """The code and where it was met; what it means and what to do; the command to go on with."""
    places = []
    if reason.stopped:
        places.append(f"{_batches(reason.stopped)} in ERROR")
    if reason.files:
        places.append(f"{counted(reason.files, 'file')} of {_batches(reason.others)}")
    elif reason.others:
        places.append(_batches(reason.others))
    yield f"  {reason.code}  {', '.join(places)}"
    yield f"    {reason.what} {reason.then}"
    if reason.command:
        yield f"    `{reason.command}`"


def _batches(keys: Sequence[int]) -> str:
    """`batch 12`, or `4 batches (12, 9, 7, …)`."""
    if len(keys) == 1:
        return f"batch {keys[0]}"
    more = ", …" if len(keys) > KEYS else ""
    return f"{counted(len(keys), 'batch', 'batches')} ({', '.join(map(str, keys[:KEYS]))}{more})"


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
        "elsewhere": [dataclasses.asdict(host) for host in elsewhere(LeaseTerms.of(settings.SITE))],
        "undelivered": [dataclasses.asdict(trouble) for trouble in undelivered()],
        "lapsed": overview.lapsed,
        "oldest": {str(oldest.state): {"batch": oldest.batch, "seconds": oldest.seconds} for oldest in overview.oldest},
        "in_review": dataclasses.asdict(overview.in_review),
        "last_hour": _throughput(overview.last_hour),
        "latest": _throughput(overview.latest),
        "withheld": dict(overview.withheld),
        "errors": {
            reason.code: {
                "batches": reason.batches,
                "files": reason.files,
                "what": reason.what,
                "then": reason.then,
                "stopped": reason.stopped[:LISTED],
                "others": reason.others[:LISTED],
                "command": reason.command,
            }
            for reason in overview.reasons
        },
        "not_removed": overview.not_removed,
        "is_whole_history": overview.is_whole_history,
        "watcher": _as_fields(watcher),
        "listener": _as_fields(surroundings.listener(settings.SITE.var)),
        "broker": dataclasses.asdict(broker) if broker else None,
        "delivery": settings.SITE.send_to_google and not surroundings.delivery_is_paused(),
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
