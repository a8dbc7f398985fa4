"""`approve`: asks that a project may deliver as it is configured now; another person confirms it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from sendit.ground.commands import DatabaseCommand
from sendit.pipeline.management.accounts import account
from sendit.pipeline.operations import file_approval
from sendit.pipeline.reports.approvals import standing
from sendit.projects.composition import Projects
from sendit.projects.project import DEFAULT


class Command(DatabaseCommand):
    """File a request for the approval of a project with its recipe."""

    help = (
        "Ask that a project may deliver as it is configured now, with its recipe as it is now. The command only files "
        "a request: another person, of role privacy, confirms it on the page Requests."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument("--project", metavar="P", default=DEFAULT, help=f"the project (default: {DEFAULT})")
        parser.add_argument("--reason", metavar="R", required=True, help="what was changed, for whoever confirms")

    def handle(self, *args: Any, project: str, reason: str, **options: Any) -> None:
        """File it."""
        projects = Projects(settings.SITE)
        stands = standing(projects.of(project))
        request = file_approval(projects, project, account(), reason)
        self.lines(
            [
                f"project  {project}  {stands.subject.project_sha256}",
                f"recipe   {stands.recipe}  {stands.subject.recipe_sha256}",
                f"Request {request.pk} waits for another person, of role privacy, on the page Requests.",
            ]
        )
