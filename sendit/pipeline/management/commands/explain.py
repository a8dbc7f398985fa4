"""`explain`: what a recipe does, for whoever is to approve it."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings

from sendit.deid.recipe.explanation import Explanation, explain
from sendit.deid.recipe.explanation_text import as_json, as_text
from sendit.deid.recipe.recipe import load_recipe
from sendit.ground.commands import Command as ShellCommand


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

    def handle(self, *args: Any, recipe: str | None, format: str, **options: Any) -> None:
        """Print it."""
        self.stdout.write(FORMATS[format](explain(load_recipe(recipe or settings.SITE.study_deid))))


def _recipe(told: Explanation) -> str:
    return told.recipe.text


FORMATS: dict[str, Callable[[Explanation], str]] = {"text": as_text, "json": as_json, "recipe": _recipe}
