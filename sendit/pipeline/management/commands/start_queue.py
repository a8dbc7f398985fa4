"""`start_queue`: processes the study folders that wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from sendit.ground.commands import DatabaseCommand, WrongUse
from sendit.ground.terminal import counted
from sendit.pipeline.management.closing import work_and_sum_up
from sendit.pipeline.operations import COMMAND, Added, queue_folders, queue_of
from sendit.pipeline.record.leases import LeaseTerms
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.states import Job
from sendit.pipeline.workforce.choice import is_embedded, wake
from sendit.pipeline.workforce.supervisor import Supervisor
from sendit.projects import composition
from sendit.projects.composition import Ports, Projects
from sendit.projects.project import DEFAULT, DataFolder


def number_or_all(text: str) -> int | None:
    """A number of batches; None for `all`."""
    if text == "all":
        return None
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise WrongUse("--number takes a number from 1, or all.")


def folders_to_look_in(ports: Ports, subfolder: str | None) -> tuple[DataFolder, ...]:
    """The project's data folders, or a sub-folder in their place."""
    if subfolder:
        return (DataFolder("--subfolder", ports.site.data_base / subfolder),)
    return ports.project.data_folders


class Command(DatabaseCommand):
    """Queue new folders if none is queued, and process what is."""

    begins_a_site = True
    help = (
        "Process the batches in QUEUE: import, screen, identify, de-identify. If none is in QUEUE, look for new "
        "folders first. Processed batches rest at DONEPROCESSING; upload_finished delivers them. Ctrl-C puts batches "
        "in work back into the queue; a second Ctrl-C kills the workers. Exit codes: 0 fine; 1 a batch is in ERROR or "
        "waits for a service; 2 wrong use or a wrong deployment; 128 + n ended by signal n."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Two, as the field knows them."""
        parser.add_argument(
            "--number",
            default="1",
            metavar="N",
            help="the most batches that this call adds and starts, or all; default 1",
        )
        parser.add_argument("--reveal", action="store_true", help="name the folders that are left, which may identify")
        parser.add_argument("--project", metavar="NAME", help="look in this project's data folders only")
        parser.add_argument("--subfolder", metavar="DIR", help="where to look instead; relative to the data folder")

    def handle(self, *args: Any, **options: Any) -> None:
        """Add, process, sum up."""
        limit = number_or_all(str(options["number"]))
        projects = Projects(settings.SITE)
        names = [options["project"]] if options["project"] else projects.names
        for name in names:
            composition.recipe(projects.of(name).project)  # a bad one is refused now rather than by every batch
        self._add(limit, options, names, projects)
        if is_embedded():
            self._work(limit)
        else:
            wake(Job.PROCESS)
            self.stdout.write(
                f"{counted(self._waiting(None), 'batch', 'batches')} in QUEUE; Celery's workers take them."
            )

    def _work(self, limit: int | None) -> None:
        to_do = self._waiting(limit)
        supervisor = Supervisor(min(settings.SITE.workers, max(to_do, 1)), (Job.PROCESS,), limit)
        if code := work_and_sum_up(supervisor, to_do, self.stream, self.lines):
            raise SystemExit(code)

    def _add(self, limit: int | None, options: Mapping[str, Any], names: Sequence[str], projects: Projects) -> None:
        """The cache is not made again until the current set is done."""
        if Batch.objects.filter(state=Job.PROCESS.waiting).exists():
            return
        seconds, subfolder = projects.site.queue_settle_seconds, options["subfolder"]
        if subfolder:
            ports = projects.of(options["project"] or DEFAULT)
            folders = folders_to_look_in(ports, subfolder)
            added = queue_folders(folders, ports.project.name, seconds, limit, COMMAND)
        else:
            added = queue_of(names, projects, seconds, limit, COMMAND)
        self.stdout.write(f"{counted(added.number, 'new folder')} queued.")
        if added.grown:
            self.stdout.write(f"{counted(added.grown, 'folder')} with something new queued again.")
        self.lines(_left(added, options["reveal"]))

    def _waiting(self, limit: int | None) -> int:
        waiting = Batch.objects.filter(
            LeaseTerms.of(settings.SITE).is_due(Job.PROCESS), state=Job.PROCESS.waiting
        ).count()
        return waiting if limit is None else min(limit, waiting)


def _left(added: Added, reveal: bool) -> Iterator[str]:
    """How many folders were left, and why; which they are only where the operator asks."""
    for why, number in sorted(Counter(left.why for left in added.left).items()):
        yield f"{counted(number, 'folder was', 'folders were')} left: {why}."
        if reveal:
            yield from (f"  {left.path.reveal()}" for left in added.left if left.why is why)
    if added.left:
        yield "Run `sendit start_queue` again when they are complete" + ("." if reveal else "; --reveal names them.")
