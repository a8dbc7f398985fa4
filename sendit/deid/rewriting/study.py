"""What the rewriting may ask of the patient-study at hand: its recipe, variables, pseudonyms and identifiers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

from pydicom.datadict import tag_for_keyword

from sendit.deid.bounded import Bounded
from sendit.deid.budget import KEY, VALUE, Budget, text_cost
from sendit.deid.function_field import FunctionField
from sendit.deid.identifiers.dates.own_days import OwnDays
from sendit.deid.identifiers.descriptors import Cleaner
from sendit.deid.identifiers.identifiers import VERIFIED, Identifier
from sendit.deid.identifiers.own_terms import OWN_TERMS, holds_its_own_term
from sendit.deid.pseudonyms import Pseudonyms
from sendit.deid.recipe.profile import FULL_DATES
from sendit.deid.recipe.profile_rules import REFERRED_TO, STRUCTURE
from sendit.deid.recipe.recipe import Recipe
from sendit.deid.recipe.rules import Value
from sendit.deid.rewriting.actions import ImageAtHand
from sendit.deid.standard.content import CODES
from sendit.deid.standard.enumerated_values import enumerated, enumerated_values
from sendit.deid.stream.datasets import UNREADABLE, quiet
from sendit.deid.stream.tags import CLASS_UID_TAGS
from sendit.errors import DataFault, Misconfigured

READ_BY_MACHINES = CODES | {tag_for_keyword(keyword) for keyword in STRUCTURE}
"""Codes, and attributes that say how to read codes and content. They are no text: only identifiers are taken out."""
LAYERS = frozenset(tag_for_keyword(keyword) for keyword in REFERRED_TO)
VERSIONS = frozenset({0x00181019, 0x00181020})
"""Secondary Capture Device Software Versions, Software Versions."""
CLEANERS = 64
"""How many numbers of days have a cleaner at once; a function of the recipe may return ever new ones."""
MAKERS = frozenset({0x00080070, 0x00081090})
"""Manufacturer, Manufacturer's Model Name."""
BODY_PART_EXAMINED = 0x00180015
"""A term that operators type in."""

Judge = Callable[[str], str]
"""Returns what may stay of one value."""


class BoundRecipe:
    """A recipe bound to one patient-study.

    Parameters
    ----------
    recipe : Recipe
    pseudonyms : Pseudonyms
    variables : mapping of str to object
        What `var:` names; `func:` names are looked up here too, as callables `(dicom, value, field, item)`.
    value_lists : mapping of str to set of str
        The %values lists' terms, as one image has them.
    identifiers : iterable of Identifier
        What CLEAN takes out of texts, wherever it stands.
    checks_values : bool
        Whether a value that no rule changes stays only if it is one that its VR allows.
    budget : Budget, optional
        What is left for the image at hand.
    """

    MOST = 10_000
    """What is remembered of keys and levels. Hostile files make ever new ones; those beyond are compiled again."""
    MOST_VALUES = 100_000
    """And of what values become."""

    def __init__(
        self,
        recipe: Recipe,
        pseudonyms: Pseudonyms,
        variables: Mapping[str, Any],
        value_lists: Mapping[str, frozenset[str]] | None = None,
        identifiers: Iterable[Identifier] = (),
        *,
        checks_values: bool = True,
        budget: Budget | None = None,
    ) -> None:
        self._identifiers, self.checks_values = tuple(identifiers), checks_values
        self.budget = Budget() if budget is None else budget
        self._cleaners = Bounded[int | None, Cleaner](lambda days: Cleaner(self._identifiers, days), CLEANERS)
        self.recipe, self.pseudonyms, self.variables = recipe, pseudonyms, variables
        self.additions = recipe.additions
        self.values = {name: _any_of(terms) for name, terms in (value_lists or {}).items() if terms}
        self.removes_all_private, self.uses_indices = recipe.removes_all_private, recipe.uses_indices
        self.uses_classes = recipe.uses_types or checks_values
        self._remembered = self._remembered_values = 0
        self.places_slices = False
        """Whether an element was met that puts the slices of a mosaic in their places."""

    @property
    def is_full(self) -> bool:
        """Whether nothing more may be remembered."""
        return self._remembered >= self.MOST or self._remembered_values >= self.MOST_VALUES

    def forget(self) -> None:
        """Begin to count again."""
        self._remembered = self._remembered_values = 0

    def remembers(self) -> bool:
        """Whether one more key or plan may be remembered; it counts as one."""
        self.budget.spend(KEY)
        self._remembered += 1
        return self._remembered < self.MOST

    def remembers_value(self) -> bool:
        """The same for what one more value becomes."""
        self.budget.spend(VALUE)
        self._remembered_values += 1
        return self._remembered_values < self.MOST_VALUES

    def charge_text(self, size: int, parts: int) -> None:
        """Count the cleaning of texts; TooLarge where the image has too many."""
        self.budget.spend(text_cost(size, parts, len(self._identifiers)))

    def cleaner(self, days: int | None) -> Cleaner:
        """What cleans the study's texts; dates in them are shifted by `days`, or go."""
        return self._cleaners[days]

    def judge_of(self, tag: int, vr: str) -> Judge | None:
        """What says what may stay of one value that a profile keeps; None where any value may."""
        judge = self._judge_of(tag, vr)
        if judge is None or tag not in OWN_TERMS:
            return judge
        return lambda text: text if holds_its_own_term(tag, text) else judge(text)

    def _judge_of(self, tag: int, vr: str) -> Judge | None:
        closed = enumerated_values().get(tag)
        if closed is not None:
            return lambda text: enumerated(closed, text)
        if tag in CLASS_UID_TAGS:
            return lambda text: "" if self.own_days.stand_in(text) else text
        cleaner = self.makers_cleaner if tag in MAKERS else self.kept_cleaner
        if tag in LAYERS:
            return lambda text: cleaner.device_term(text) or self._layer(text)
        if vr == "CS":
            return cleaner.body_part if tag == BODY_PART_EXAMINED else cleaner.device_term
        if tag in READ_BY_MACHINES:
            return cleaner.clean_code
        if tag in VERSIONS:
            return cleaner.clean_version
        return cleaner.clean_device_text if vr in ("LO", "SH", "UC") else None

    def _layer(self, name: str) -> str:
        """What a layer is called whose name identifies somebody: the same wherever graphics refer to it."""
        return f"LAYER {self.pseudonyms.number('layer', name):032X}"[:16]

    @cached_property
    def kept_cleaner(self) -> Cleaner:
        """What judges the values that a profile keeps. It may keep stations, and institutions where an Option says so.

        Dates in what devices write of themselves are the same for all patients, so they are never shifted: they go.
        """
        assert self.recipe.profile is not None
        kinds = VERIFIED | {"person", "announced", "day"}
        if "Retain Institution Identity" not in self.recipe.profile.options:
            kinds |= {"institution"}
        return self._cleaner_of(kinds)

    @cached_property
    def makers_cleaner(self) -> Cleaner:
        """The same for makers and models: an institution may be called as they are."""
        return self._cleaner_of(VERIFIED | {"day"})

    def _cleaner_of(self, kinds: frozenset[str]) -> Cleaner:
        assert self.recipe.profile is not None
        are_full = self.recipe.profile.dates == FULL_DATES
        wanted = kinds - {"day"} if are_full else kinds
        counting = [identifier for identifier in self._identifiers if identifier.kind in wanted]
        return Cleaner(counting, 0 if are_full else None)

    @cached_property
    def own_days(self) -> OwnDays:
        """The days on which the study was made, where they may not be told."""
        days = OwnDays()
        if self.recipe.profile is not None and self.recipe.profile.dates != FULL_DATES:
            for identifier in self._identifiers:
                if identifier.kind == "day":
                    days.add(identifier.text)
        return days

    def variable(self, name: str) -> Any:
        """The value of `var:name`; Misconfigured when there is none: the original is never left in its place."""
        value = self.variables.get(name)
        if value is None:
            raise Misconfigured("UnknownVariable", subject=name)
        return value

    def call(self, value: Value, field: FunctionField, image: ImageAtHand | None) -> Any:
        """What the registered callable of `func:` returns; its errors are told without their words."""
        function = self.variables.get(value.text)
        if not callable(function):
            raise Misconfigured("UnknownFunction", subject=value.text)
        dataset = image.dataset() if image is not None else None
        try:
            with quiet():
                return function(dicom=dataset, value=f"func:{value.text}", field=field, item=self.variables)
        except UNREADABLE as error:
            subject = f"{value.text}: {type(error).__name__}"
            raise DataFault("FunctionFailed", tag=field.tag, subject=subject) from None


def _any_of(terms: frozenset[str]) -> re.Pattern[str]:
    longest_first = sorted(terms, key=lambda term: (-len(term), term))
    return re.compile("|".join(re.escape(term) for term in longest_first), re.IGNORECASE)
