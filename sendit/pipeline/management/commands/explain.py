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
            help="text to read, json for programs, or recipe: the recipe itself with the lines that PROFILE and "
            "INCLUDE stand for (default: text)",
        )

        parser.add_argument(
            "--batch", metavar="ID", help="the recipe that this batch was processed with, as it was then"
        )

    def handle(self, *args: Any, recipe: str | None, format: str, batch: str | None, **options: Any) -> None:
        """Print it."""
        if recipe and batch:
            raise WrongUse("Give either RECIPE or --batch.")
        chosen = _of_batch(batch) if batch else load_recipe(recipe or settings.SITE.study_deid)
        self.stdout.write(FORMATS[format](explain(chosen)))


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


FORMATS: dict[str, Callable[[Explanation], str]] = {"text": as_text, "json": as_json, "recipe": _recipe}
