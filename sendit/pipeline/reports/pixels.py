"""Whether images wait for what looks into pixels to be installed."""

from __future__ import annotations

from collections.abc import Iterable

from sendit.deid.burned_in.detector import is_installed
from sendit.errors import Misconfigured
from sendit.projects.composition import Ports, Projects


def are_freed_by_the_extra(rules: Iterable[str], projects: Projects) -> bool:
    """Return whether one of these rules only withholds images because the extra `pixels` is not installed."""
    if is_installed():
        return False
    withholding = frozenset(rules)
    return any(_are_freed(withholding, projects.of(name)) for name in projects.names)


def _are_freed(rules: frozenset[str], ports: Ports) -> bool:
    try:
        recipe = ports.recipe
    except Misconfigured:
        return False
    labels = (label for group in recipe.filters if group.is_graylist for label in group.labels)
    return recipe.cleans_pixels and not {label.text for label in labels if label.speaks_of_pixels}.isdisjoint(rules)
