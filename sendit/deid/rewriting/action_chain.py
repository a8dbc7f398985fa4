"""The actions that a recipe's rules do to one attribute, carried out on its value one after the other."""

from __future__ import annotations

from typing import Any

from sendit.deid.function_field import FunctionField
from sendit.deid.recipe.deid_functions import DEID_FUNCTIONS, Original, shifted
from sendit.deid.recipe.rules import PSEUDONYM, Action, Step, Value
from sendit.deid.rewriting.actions import ImageAtHand
from sendit.deid.rewriting.attribute import Attribute
from sendit.deid.rewriting.cleaning import cleaned
from sendit.deid.rewriting.kept import form_at, kept_value
from sendit.deid.rewriting.place import DatasetPlace
from sendit.deid.standard.codes import parse_codes, write_items
from sendit.deid.standard.content import DUMMIES
from sendit.deid.stream.tags import CLASS_UID_TAGS
from sendit.errors import Misconfigured


class ActionChain:
    """The steps that a recipe does to one attribute.

    Attributes
    ----------
    blanks : bool
        Whether the last step empties it, whatever the value is.
    is_pseudonym : bool
        Whether the only step replaces a UID by its pseudonym under 2.25.
    codes : bool
        Whether the last step writes a code sequence.
    calls : bool
        Whether a function of the recipe is called.
    """

    __slots__ = ("_attribute", "_steps", "_written_vr", "blanks", "calls", "codes", "is_pseudonym")

    def __init__(self, place: DatasetPlace, tag: int, vr: str, steps: tuple[Step, ...], written_vr: str = "") -> None:
        self._attribute, self._written_vr = Attribute(place, tag, vr), written_vr
        self._steps = _after_removal(steps)
        self.blanks = bool(steps) and steps[-1].action is Action.BLANK and not steps[-1].values_list
        self.is_pseudonym = tag not in CLASS_UID_TAGS and [_pseudonym_step(step) for step in steps] == [True]
        self.codes = bool(steps) and steps[-1].value is not None and steps[-1].value.kind == "code"
        self.calls = any(step.value is not None and step.value.kind == "func" for step in steps)

    def pseudonymous(self, raw: bytes) -> bytes | None:
        """The same as `element`, faster, for a chain that `is_pseudonym`: the commonest of all."""
        original = raw.strip(b" \0")
        if not original.isascii() or b"\\" in original:
            return self.element(raw)
        uid = self._attribute.place.study.pseudonyms.uid(original.decode("ascii")).encode("ascii")
        if uid == original:
            return None
        return self._attribute.element(uid + b"\0" if len(uid) & 1 else uid)

    def element(self, raw: bytes, image: ImageAtHand | None = None) -> bytes | None:
        """The encoded element for an encoded value: None if unchanged, b"" if it is removed."""
        new = self._carried_out(raw, image)
        if new is None:
            return b""
        if new == raw:
            form = form_at(self._attribute, self._written_vr)
            return None if form is None else kept_value(self._attribute, form).changed(raw)
        return self._attribute.element(new)

    def absent(self) -> bytes | None:
        """The encoded element where the file has none; None if none is added."""
        new = self._carried_out(None, None)
        return None if new is None else self._attribute.element(new)

    def _carried_out(self, raw: bytes | None, image: ImageAtHand | None) -> bytes | None:
        """The value behind all steps; None where there is no element."""
        for step in self._steps:
            if raw is None and step.action is not Action.ADD:
                continue
            if step.values_list is not None and not self._holds(raw or b"", step.values_list):
                continue
            raw = self._step(step, raw, image)
        return raw

    def _step(self, step: Step, raw: bytes | None, image: ImageAtHand | None) -> bytes | None:
        match step.action:
            case Action.REMOVE:
                return None if step.value is None or self._value(step.value, raw, image) else raw
            case Action.BLANK:
                return b""
            case Action.CLEAN:
                return self._clean(raw or b"", step)
            case Action.JITTER:
                return self._jitter(raw or b"", step.value, image)
            case Action.ADD | Action.REPLACE:
                assert step.value is not None
                return self._attribute.write(self._value(step.value, raw, image))
            case _:
                return raw

    def _holds(self, raw: bytes, values_list: str) -> bool:
        """Whether the value matches a %values list."""
        pattern = self._attribute.place.study.values.get(values_list)
        return pattern is not None and any(pattern.search(str(value)) for value in self._attribute.read(raw))

    # ------------------------------------------------------------------------------------------ values

    def _value(self, value: Value, raw: bytes | None, image: ImageAtHand | None) -> Any:
        """What a rule's value comes to for this element."""
        attribute, place = self._attribute, self._attribute.place
        match value.kind:
            case "var":
                return place.study.variable(value.text)
            case "func":
                field = FunctionField(
                    place.path, attribute.tag, attribute.vr, raw or b"", place.encoding, place.encodings
                )
                return place.study.call(value, field, image)
            case "deid_func":
                return self._deid_function(value, raw or b"")
            case "code":
                return write_items(parse_codes(value.text), place.encoding)
            case _:
                return value.text

    def _deid_function(self, value: Value, raw: bytes) -> str:
        function, options = DEID_FUNCTIONS.get(value.text), dict(value.options)
        if function is None:
            raise Misconfigured("UnknownFunction", subject=value.text)
        attribute = self._attribute
        if attribute.tag in CLASS_UID_TAGS and value.text != "jitter":
            return attribute.class_uids(raw)
        pseudonyms, tag, vr = attribute.place.study.pseudonyms, attribute.tag, attribute.vr
        originals = (Original(tag, vr, str(part)) for part in attribute.read(raw))
        return "\\".join(function.apply(pseudonyms, original, options) for original in originals)

    def _jitter(self, raw: bytes, value: Value | None, image: ImageAtHand | None) -> bytes:
        if not raw.strip(b" \0"):
            return raw
        assert value is not None
        days = self._days(value, raw, image)
        return self._attribute.each(raw, lambda text: shifted(text, self._attribute.vr, days))

    def _days(self, value: Value, raw: bytes, image: ImageAtHand | None) -> int:
        try:
            return int(self._value(value, raw, image))
        except (TypeError, ValueError):
            raise Misconfigured("UnknownVariable", subject=value.text) from None

    def _clean(self, raw: bytes, step: Step) -> bytes:
        """The cleaned value; where nothing is left of it, what the recipe or the content item puts in its place."""
        if not raw.strip(b" \0"):
            return raw
        days = None if step.value is None else self._days(step.value, raw, None)
        left = cleaned(self._attribute, raw, days)
        if left.strip(b" \0"):
            return left
        if step.instead is not None:
            return self._attribute.write(self._value(step.instead, raw, None))
        return self._attribute.write(DUMMIES.get(self._attribute.tag, ""))


def _pseudonym_step(step: Step) -> bool:
    """Whether a step replaces a UID by its pseudonym under 2.25."""
    return step.action is Action.REPLACE and step.value == PSEUDONYM and not step.values_list


def _removes(step: Step) -> bool:
    """Whether a step removes whatever the value is."""
    return step.action is Action.REMOVE and step.value is None and step.values_list is None


def _after_removal(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps behind the last one that removes whatever the value is; all where there is none."""
    last = max((n for n, step in enumerate(steps) if _removes(step)), default=-1)
    return steps[last + 1 :]


def leave_nothing(steps: tuple[Step, ...]) -> bool:
    """Whether the element is removed, and nothing added in its place, whatever the value is."""
    if _removes(steps[-1]):
        return True
    after = _after_removal(steps)
    return len(after) < len(steps) and not any(step.action is Action.ADD for step in after)
