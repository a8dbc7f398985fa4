"""`explain`: describes what a recipe does, for the person who approves it."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings

from sendit.deid.recipe.explanation import Explanation, explain
from sendit.deid.recipe.explanation_text import as_json, as_text
from sendit.deid.recipe.recipe import Recipe, load_recipe
from sendit.ground.commands import Command as ShellCommand
from sendit.ground.commands import WrongUse, answering, ensure_keys
from sendit.ground.terminal import table
from sendit.projects.composition import Projects


class Command(ShellCommand):
    """Tell what a recipe does to each attribute and why, and which images it withholds."""

    help = (
        "Describe what a recipe does to each attribute of DICOM PS3.15 Table E.1-1 and to others, and why, and which "
        "images it withholds."
    )
    requires_system_checks = []
    needs_keys = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument(
            "recipe",
            metavar="RECIPE",
            nargs="?",
            help="a recipe's name or path, or several separated by commas (default: the setting STUDY_DEID)",
        )
        parser.add_argument(
            "--format",
            choices=sorted(FORMATS),
            default="text",
            help="text to read, html to print, json for programs, or recipe: the recipe itself with the lines that "
            "PROFILE and INCLUDE stand for (default: text)",
        )

        parser.add_argument(
            "--batch", metavar="ID", help="the recipe that this batch was processed with, as it was then"
        )
        parser.add_argument(
            "--project", metavar="P", help="the recipe of this project, with how it is configured and who approved that"
        )

    def handle(self, *args: Any, recipe: str | None, format: str, **options: Any) -> None:
        """Print it."""
        batch, project = options["batch"], options["project"]
        if sum(map(bool, (recipe, batch, project))) > 1:
            raise WrongUse("Give one of RECIPE, --batch and --project.")
        if project:
            self.stdout.write(_of_project(project, format))
            return
        chosen = _of_batch(batch) if batch else load_recipe(recipe or settings.SITE.study_deid)
        self.stdout.write(FORMATS[format](explain(chosen)))


def _of_project(name: str, format: str) -> str:
    """The recipe of a project, with how the project stands where the format has room for it."""
    ensure_keys()
    with answering():
        from sendit.pipeline.reports import explained_page
        from sendit.pipeline.reports.approvals import standing

        ports = Projects(settings.SITE).of(name)
        told, stands = explain(ports.recipe), standing(ports)
    if format == "html":
        return explained_page.page(told, stands)
    if format != "text":
        return FORMATS[format](told)
    facts = [("project", f"{name}, {stands.subject.project_sha256}"), ("approved", stands.words), *stands.facts]
    return "\n".join([*table(facts), "", as_text(told)])


def _html(told: Explanation) -> str:
    from sendit.pipeline.reports import explained_page

    return explained_page.page(told)


def _of_batch(identity: str) -> Recipe:
    """The recipe that was kept when the batch was processed."""
    ensure_keys()
    with answering():
        from sendit.pipeline.management.naming import named
        from sendit.pipeline.reports.batches import recipe_of

        (key,) = named([identity])
        found = recipe_of(key)
    if found is None:
        raise WrongUse("The batch was not processed yet, or by a version that kept no recipes.")
    return found


def _recipe(told: Explanation) -> str:
    return told.recipe.text


FORMATS: dict[str, Callable[[Explanation], str]] = {
    "text": as_text, "json": as_json, "recipe": _recipe, "html": _html,
}  # fmt: skip
