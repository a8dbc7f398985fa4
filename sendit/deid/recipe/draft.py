"""What the parser has gathered of a recipe, before its rules are bound to what their fields match."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sendit.deid.recipe.field_syntax import hint
from sendit.deid.recipe.filters import Label
from sendit.deid.recipe.profile import Profile
from sendit.deid.recipe.recipe_lines import RecipeError, RecipeText
from sendit.deid.recipe.rules import Action, BoundRule, Rule
from sendit.deid.recipe.selectors import AnyOf, Keyword, OfType, Path, Selector, Tag, tags_of
from sendit.deid.recipe.value_lists import ValuesSource
from sendit.deid.stream.tags import default_vr


@dataclass(frozen=True, slots=True)
class ProfileLine:
    """A PROFILE line: what it chooses, and where it stands."""

    profile: Profile
    file: str
    line: int
    column: int


@dataclass(slots=True)
class Draft:
    """What the parser has gathered; lists may be used before they are made, so rules are bound at the end.

    `find` reads the recipes that INCLUDE lines name; `text` is all that was read as one text, which has the lines that
    PROFILE and INCLUDE stand for in their places.
    """

    find: Callable[[str], RecipeText]
    profile: ProfileLine | None = None
    including: tuple[str, ...] = ()
    includes: bool = False
    has_format: bool = False
    text: list[str | ProfileLine] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    selectors: list[Selector | str] = field(default_factory=list)
    filters: dict[str, list[Label]] = field(default_factory=dict)
    fields_lists: dict[str, list[tuple[str, Selector]]] = field(default_factory=dict)
    values_lists: dict[str, list[ValuesSource]] = field(default_factory=dict)
    labels: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def is_plain(self) -> bool:
        """Whether there was no PROFILE and no INCLUDE line."""
        return self.profile is None and not self.includes

    def add(self, rule: Rule, selector: Selector | str) -> None:
        """One rule; its selector, or the name of the %fields list that it is of."""
        self.rules.append(rule)
        self.selectors.append(selector)

    def bound_rules(self) -> list[BoundRule]:
        """The rules with what their fields match; RecipeError where one names a list that there is not."""
        return [self._bind(rule, selector) for rule, selector in zip(self.rules, self.selectors, strict=True)]

    def _bind(self, rule: Rule, selector: Selector | str) -> BoundRule:
        if rule.values_list is not None and rule.values_list not in self.values_lists:
            raise _no_list(rule, "values", rule.values_list, self.values_lists)
        if not isinstance(selector, str):
            return BoundRule(rule, selector)
        if selector not in self.fields_lists:
            raise _no_list(rule, "fields", selector, self.fields_lists)
        members = AnyOf(tuple(member for _, member in self.fields_lists[selector]))
        if rule.action in (Action.REPLACE, Action.JITTER):
            for text, member in self.fields_lists[selector]:
                if is_sequence(member):
                    raise RecipeError(rule.file, rule.line, rule.column, f"{text} of this list is a sequence")
        return BoundRule(rule, members)


def _no_list(rule: Rule, kind: str, name: str, lists: Iterable[str]) -> RecipeError:
    known = {word.lower(): word for word in lists}
    return RecipeError(rule.file, rule.line, rule.column, f"there is no %{kind} {name}" + hint(name, known))


def attribute_tags(selector: Selector) -> tuple[int, ...]:
    leaf = selector.leaf if isinstance(selector, Path | OfType) else selector
    return tags_of(leaf) if isinstance(leaf, Keyword | Tag) else ()


def is_sequence(selector: Selector) -> bool:
    return any(default_vr(tag) == "SQ" for tag in attribute_tags(selector))
