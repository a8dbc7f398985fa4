"""The recipes by which batches were processed, each kept once, so that what was done can be explained years later."""

from __future__ import annotations

import os

from django.db import connection

from sendit.deid.recipe.recipe import Recipe, parse_recipe, parse_recipes
from sendit.deid.recipe.recipe_lines import RecipeError, RecipeText
from sendit.errors import Misconfigured
from sendit.pipeline.record.site_models import KeptRecipe

_kept: set[tuple[str, str]] = set()
"""Databases and recipes that this process knows to be in them."""


def name_of(recipe: Recipe) -> str:
    """The names of its parts; of one that was read from a file without its folder, which is nobody's business."""
    return ",".join(os.path.basename(part.file) for part in recipe.parts) or os.path.basename(recipe.name)


def keep(recipe: Recipe) -> None:
    """Keep the recipe if it is not kept yet; outside of a transaction that may be rolled back."""
    known = str(connection.settings_dict["NAME"]), recipe.sha256
    if known not in _kept:
        parts = [[os.path.basename(part.file), part.text, part.lenient] for part in recipe.parts]
        row = {"name": name_of(recipe), "text": recipe.text, "parts": parts}
        KeptRecipe.objects.get_or_create(sha256=recipe.sha256, defaults=row)
        _kept.add(known)


def find(sha256: str) -> Recipe | None:
    """The recipe that was kept, with its profile where this version still makes the same of its parts."""
    row = KeptRecipe.objects.filter(sha256=sha256).first()
    if row is None:
        return None
    try:
        made = parse_recipes([RecipeText(name, text, lenient) for name, text, lenient in row.parts], row.name)
        if made.sha256 == sha256:
            return made
    except (RecipeError, Misconfigured):  # a part that it includes is not there any more, or has changed
        pass
    return parse_recipe(row.text, row.name)
