"""Values that stay as they are: only where they are what their attribute holds. What is not, goes or is repaired."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from sendit.deid.identifiers.dates.own_days import OwnDays
from sendit.deid.recipe.profile_rules import DUMMIES
from sendit.deid.recipe.rules import SPECIFIC_CHARACTER_SET, Decision
from sendit.deid.rewriting.actions import ValueCache
from sendit.deid.rewriting.attribute import Attribute
from sendit.deid.rewriting.place import DatasetPlace
from sendit.deid.rewriting.study import Judge
from sendit.deid.standard.attribute_types import OPTIONAL, types
from sendit.deid.standard.forms import Form, form_of
from sendit.deid.stream.tags import CLASS_UID_TAGS, dictionary_entry

DIGITS_OF_A_MOMENT = 10
"""Of the seconds since 1970, from 2001 to 2286."""


@dataclass(frozen=True, slots=True)
class KeptValue:
    """The values of one attribute that no rule changes.

    Attributes
    ----------
    form : Form, optional
        What they look like; None where they may be anything.
    content : callable, optional
        What may stay of a value that has the form.
    element : callable
        Encodes a value as an element.
    instead : callable
        The element that stands there where nothing of a value is left; b"" for none.
    padding : bytes
        What makes an odd length even.
    """

    form: Form | None
    content: Callable[[bytes], bytes] | None
    element: Callable[[bytes], bytes]
    instead: Callable[[], bytes]
    padding: bytes = b" "

    def changed(self, raw: bytes) -> bytes | None:
        """The element that a value becomes: None where it stays, b"" where it goes."""
        left = raw if self.form is None or self.form.fits(raw) else self.form.repaired(raw)
        if self.content is not None:
            left = self.content(left)
        if left == raw:
            return None
        if not left.strip(b" \0\\"):
            return self.instead()
        return self.element(left + self.padding if len(left) % 2 else left)


class FormCache(ValueCache):
    """A cache of values that mostly have their form. Those that do are not cached, for they are ever new numbers."""

    __slots__ = ("_fits",)

    def __init__(self, fits: Callable[[bytes], object], compute: Callable[[bytes], bytes | None]) -> None:
        super().__init__(compute)
        self._fits = fits

    def __missing__(self, value: bytes) -> bytes | None:
        return None if self._fits(value) else super().__missing__(value)


def dummy_of(tag: int, vr: str) -> str:
    """A legal value that says nothing, as often as the attribute must have it (PS3.6)."""
    entry = dictionary_entry(tag)
    fewest = entry[1].partition("-")[0] if entry else "1"
    dummy = _DUMMIES.get(tag) or DUMMIES.get(vr, "" if vr == "UI" else "REMOVED")
    return "\\".join([dummy] * int(fewest))


_DUMMIES = {0x00280008: "1"}
"""An image has one frame at least."""


def may_be_absent(type_: str) -> bool:
    """Whether an attribute of that Type goes where it has no value."""
    return type_ == OPTIONAL


def needs_value(type_: str) -> bool:
    """Whether an attribute of that Type has a value where it stands."""
    return type_ in ("1", "1C")


def stand_in_of_bytes(place: DatasetPlace, tag: int, vr: str) -> bytes:
    """The element of bytes that go: none, or an empty one where the attribute may not be absent."""
    type_ = types().type_of(place.sop_class_uid, place.path, tag)
    return b"" if may_be_absent(type_) else place.encoding.write(tag, vr, b"")


# ---------------------------------------------------------------------------------------------- at a place


def kept_cache(attribute: Attribute, decision: Decision, written_vr: str) -> ValueCache | None:
    """What becomes of the values of an attribute that no rule changes; None where they may be anything."""
    form = form_at(attribute, written_vr)
    is_judged = judges_content(attribute, decision)
    judge = attribute.place.study.judge_of(attribute.tag, attribute.vr) if is_judged else None
    if form is None and judge is None:
        return None

    def compute(raw: bytes) -> bytes | None:
        return kept_value(attribute, form, judge).changed(raw)

    return ValueCache(compute) if form is None or judge is not None else FormCache(form.fits, compute)


def form_at(attribute: Attribute, written_vr: str) -> Form | None:
    """The form of an attribute's values, where values are looked at."""
    if not attribute.place.study.checks_values or attribute.tag == SPECIFIC_CHARACTER_SET:
        return None
    form = form_of(attribute.tag, attribute.vr, written_vr)
    days = attribute.place.study.own_days
    if form is None or not days or attribute.vr not in ("DS", "IS"):
        return form
    return replace(form, fits=_no_moment(form.fits, days))


def _no_moment(fits: Callable[[bytes], object], days: OwnDays) -> Callable[[bytes], object]:
    """Whether a number has its form, and does not count the seconds from 1970 to the study."""

    def both(raw: bytes) -> bool:
        if not fits(raw):
            return False
        if len(raw) < DIGITS_OF_A_MOMENT or not raw[:DIGITS_OF_A_MOMENT].isdigit():
            return True
        return not any(days.is_moment(part) for part in re.findall("[0-9]+", raw.decode()))

    return both


def kept_value(attribute: Attribute, form: Form | None, judge: Judge | None = None) -> KeptValue:
    """What an attribute's values must be to stay."""
    if form is not None and attribute.vr == "UI" and attribute.tag not in CLASS_UID_TAGS:
        form = replace(form, repaired=lambda raw: _pseudonym(attribute, raw))
    return KeptValue(
        form,
        None if judge is None else lambda raw: attribute.rewritten_text(raw, judge),
        attribute.element,
        lambda: _stand_in(attribute),
        b"\0" if attribute.vr == "UI" else b" ",
    )


def judges_content(attribute: Attribute, decision: Decision) -> bool:
    """Whether a value must also speak of nobody: where a profile keeps it, and not a line of the recipe's own."""
    study, tag = attribute.place.study, attribute.tag
    if study.recipe.profile is None or not study.checks_values:
        return False
    own = decision.rule is not None and not decision.rule.of_profile
    return not own and not tag >> 16 & 1 and tag != SPECIFIC_CHARACTER_SET


def _pseudonym(attribute: Attribute, raw: bytes) -> bytes:
    """What replaces a text that stands in the place of a UID; the same text has the same pseudonym."""
    return attribute.place.study.pseudonyms.uid(raw.decode("latin-1").strip(" \0")).encode("ascii")


def _stand_in(attribute: Attribute) -> bytes:
    """The element of an attribute whose value goes, by its Type: none, an empty one, or one with a dummy."""
    place, tag, vr = attribute.place, attribute.tag, attribute.vr
    type_ = types().type_of(place.sop_class_uid, place.path, tag)
    if may_be_absent(type_):
        return b""
    return place.element(tag, vr, dummy_of(tag, vr) if needs_value(type_) else "")
