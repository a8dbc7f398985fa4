"""The recipe language of pydicom/deid, parsed strictly: text in, rules and filters out. Reads no DICOM file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sendit.deid.rules import Action, Addition, Decision, Field, Rule, Step, Value
from sendit.errors import Misconfigured

__all__ = [
    "Action", "Addition", "Decision", "Field", "Recipe", "RecipeError", "Rule", "Step", "Value", "load_recipe",
]  # fmt: skip


class RecipeError(Misconfigured):
    """A line of a recipe cannot be understood; `str()` begins with file:line:column."""

    def __init__(self, file: str, line: int, column: int, reason: str) -> None:
        self.file, self.line, self.column, self.reason = file, line, column, reason
        super().__init__("BadRecipe", subject=f"{file}:{line}:{column}: {reason}")


@dataclass(frozen=True)
class Recipe:
    """A parsed recipe."""

    name: str
    text: str
    sha256: str
    rules: tuple[Rule, ...]
    filters: tuple[Any, ...]
    fields_lists: Mapping[str, Any]
    values_lists: Mapping[str, Any]
    warnings: tuple[str, ...]
    uses_indices: bool
    uses_values: bool
    removes_all_private: bool

    def decide(self, field: Field) -> Decision:
        """What the rules do to a present element; depends on its address only."""
        raise NotImplementedError

    def additions(self) -> tuple[Addition, ...]:
        """The attributes that ADD rules name."""
        raise NotImplementedError


def load_recipe(name_or_path: str | Path) -> Recipe:
    """The recipe of that name or path, or several of them, comma-separated."""
    raise NotImplementedError
