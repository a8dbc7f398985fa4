"""Whether images wait for what looks into pixels to be installed."""

from __future__ import annotations

from collections.abc import Iterable

from sendit.deid.burned_in.detector import is_installed
from sendit.errors import Misconfigured
from sendit.projects import composition
from sendit.projects.project import Project


def are_freed_by_the_extra(rules: Iterable[str], project: Project) -> bool:
    """Return whether one of these rules only withholds images because the extra `pixels` is not installed."""
    if is_installed():
        return False
    try:
        recipe = composition.recipe(project)
    except Misconfigured:
        return False
    labels = (label for group in recipe.filters if group.is_graylist for label in group.labels)
    return recipe.cleans_pixels and not {label.text for label in labels if label.speaks_of_pixels}.isdisjoint(rules)
