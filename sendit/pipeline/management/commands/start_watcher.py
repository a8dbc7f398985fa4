"""`start_watcher`: processes and delivers finished folders as they come."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings

from sendit.ground.daemon import PidFile
from sendit.ground.service import ServiceCommand
from sendit.pipeline.intake.presence import watcher_pid_file
from sendit.pipeline.intake.watcher import Watcher
from sendit.pipeline.workforce.choice import workforce
from sendit.projects import composition
from sendit.projects.composition import Projects


class Command(ServiceCommand):
    """Watch the data folder in the background; process and deliver what comes, until stop_watcher."""

    service = "watcher"
    begins_a_site = True
    help = (
        "Watch the data folder: process and deliver finished folders as they come, in the background, until "
        "stop_watcher. Logs: VAR/logs/watcher.log."
    )

    def pid_file(self) -> PidFile:
        """Return that of the watcher of this VAR."""
        return watcher_pid_file(settings.SITE.var)

    def make(self, must_stop: Callable[[], bool], beat: Callable[[], None]) -> Watcher:
        """Make the watcher; a bad recipe is refused now rather than by every batch."""
        projects = Projects(settings.SITE)
        for name in projects.names:
            composition.recipe(projects.of(name).project)
        return Watcher(projects, workforce, must_stop, beat)
