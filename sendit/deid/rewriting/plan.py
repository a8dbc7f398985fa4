"""A recipe bound to one patient-study: what becomes of each element, compiled once and looked up by its encoded key.

A `DatasetPlan` is one dataset's place in a file: the root, or the items of one sequence. Its `actions` map an element's
encoded key (tag and VR, as the bytes they are read in) to what is to be done. What a value becomes is remembered, so
that the values which the images of a study share are worked out once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any

from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement

from sendit.deid.identifiers.ages import OLDEST, cap_age
from sendit.deid.identifiers.descriptors import Cleaner
from sendit.deid.identifiers.identifiers import VERIFIED, Identifier
from sendit.deid.pseudonyms import Pseudonyms, shift_date, shift_datetime
from sendit.deid.recipe.profile import FULL_DATES
from sendit.deid.recipe.profile_rules import STRUCTURE
from sendit.deid.recipe.recipe import Recipe
from sendit.deid.recipe.rules import PSEUDONYM, SPECIFIC_CHARACTER_SET, Action, Addition, Decision, Field, Step, Value
from sendit.deid.rewriting.actions import (
    FORM,
    ActionKind,
    ElementAction,
    ImageAtHand,
    LatestValue,
    ValueCache,
)
from sendit.deid.rewriting.kept import FormCache, KeptValue, dummy_of, may_be_absent, needs_value
from sendit.deid.rewriting.shared_runs import RunMemory
from sendit.deid.standard.attribute_types import types
from sendit.deid.standard.codes import parse_codes, write_items
from sendit.deid.standard.content import (
    CODES,
    DUMMIES,
    IDENTIFYING_VALUES,
    MEASURED_VALUE,
    NUMERIC,
    OTHER_NUMBERS,
    Concept,
    concept_of,
    is_in_years,
)
from sendit.deid.standard.enumerated_values import enumerated, enumerated_values
from sendit.deid.standard.forms import Form, form_of
from sendit.deid.standard.safe_private import SafePrivate, known_as_safe
from sendit.deid.stream import values
from sendit.deid.stream.datasets import UNREADABLE, quiet
from sendit.deid.stream.encodings import Encoding
from sendit.deid.stream.part_ten import PartTen
from sendit.deid.stream.tags import ITEM_END, PIXEL_DATA_TAGS, SEQUENCE_END, TRAILING_PADDING, effective_vr
from sendit.deid.stream.values import Charset
from sendit.errors import DataFault, Misconfigured

CLASS_UID_TAGS = frozenset(
    {0x00080016, 0x0008001A, 0x0008001B, 0x00081150, 0x0008115A, 0x0008010C, 0x00080117, 0x00020010}
)
"""UI attributes whose values name a class, a syntax or a vocabulary, never an instance: UID functions leave them."""

READ_BY_MACHINES = CODES | {tag_for_keyword(keyword) for keyword in STRUCTURE}
"""Codes, and what says how codes and content are to be read: no text, so that only identifiers are taken out."""
VERSIONS = frozenset({0x00181019, 0x00181020})
"""Secondary Capture Device Software Versions, Software Versions."""
BODY_PART_EXAMINED = 0x00180015
"""A term that operators type."""

Judge = Callable[[str], str]
"""What says what may stay of one value."""

NO_TAG = 1 << 32
"""Above every tag."""


class Actions(dict[bytes, "tuple[int, ElementAction | None]"]):
    """Maps a key to its tag and action; the action is None for an element in short form that no rule touches."""

    __slots__ = ("plan",)

    def __init__(self, plan: DatasetPlan) -> None:
        self.plan = plan

    def __missing__(self, key: bytes) -> tuple[int, ElementAction | None]:
        result = self.plan.compile(key)
        if self.plan.study.remembers():
            self[key] = result
        return result


class AddedElement:
    """An element that a rule adds where it is absent; encoded when first wanted, for that is in a character set."""

    __slots__ = ("_encode", "_encoded", "action", "tag")

    def __init__(self, tag: int, encode: Callable[[], bytes | None]) -> None:
        self.tag, self._encode = tag, encode
        self._encoded: bytes | None = None
        self.action = ElementAction(ActionKind.VALUE, tag, "", long=False)
        self.action.action = str(Action.ADD)

    @property
    def encoded(self) -> bytes:
        """The element; empty where the rules that follow take it away again."""
        if self._encoded is None:
            self._encoded = self._encode() or b""
        return self._encoded


class DatasetPlan:
    """One dataset's place in a file, its encoding and its character set."""

    __slots__ = (
        "_additions",
        "_charsets",
        "_children",
        "_concepts",
        "_private",
        "actions",
        "cleans",
        "concept",
        "encoding",
        "encodings",
        "head",
        "indices",
        "memory",
        "path",
        "sop_class_uid",
        "study",
    )

    def __init__(
        self,
        plan: StudyPlan,
        path: tuple[int, ...],
        indices: tuple[int, ...],
        encoding: Encoding,
        encodings: Charset,
        sop_class_uid: str = "",
    ) -> None:
        self.study, self.path, self.indices, self.sop_class_uid = plan, path, indices, sop_class_uid
        self.encoding, self.encodings, self.head = encoding, encodings, encoding.head
        self.actions = Actions(self)
        self._children: dict[tuple[int, int | None, Encoding], DatasetPlan] = {}
        self._charsets: dict[bytes, DatasetPlan] = {}
        self._private: dict[tuple[int, str, str | None], ElementAction | None] = {}
        self._additions: list[AddedElement] | None = None
        self._concepts: dict[Concept | None, DatasetPlan] = {}
        self.memory: RunMemory[DatasetPlan] | None = None
        self.cleans = False
        """Whether the dataset is an item of a sequence that is cleaned."""
        self.concept: Concept | None = None
        """What it is as a content item."""

    def child(self, tag: int, index: int | None, encoding: Encoding) -> DatasetPlan:
        """The plan of the items of the sequence `tag` (of its item `index`, where the recipe tells items apart)."""
        key = (tag, index, encoding)
        plan = self._children.get(key)
        if plan is None:
            indices = self.indices if index is None else (*self.indices, index)
            plan = self._at((*self.path, tag), indices, encoding, self.encodings)
            plan.cleans = self.study.recipe.cleans and self._cleans(tag)
            plan.concept = self.concept if tag == MEASURED_VALUE else None
            if self.study.remembers():
                self._children[key] = plan
        return plan

    def _at(
        self, path: tuple[int, ...], indices: tuple[int, ...], encoding: Encoding, encodings: Charset
    ) -> DatasetPlan:
        return DatasetPlan(self.study, path, indices, encoding, encodings, self.sop_class_uid)

    def with_charset(self, raw: bytes) -> DatasetPlan:
        """This plan under another Specific Character Set."""
        plan = self._charsets.get(raw)
        if plan is None:
            encodings = values.charset(raw)
            same = encodings == self.encodings
            plan = self if same else self._at(self.path, self.indices, self.encoding, encodings)
            plan.memory, plan.cleans, plan.concept = self.memory, self.cleans, self.concept
            if self.study.remembers():
                self._charsets[raw] = plan
        return plan

    def _cleans(self, tag: int) -> bool:
        """Whether the items of a sequence here are cleaned."""
        field = Field(self.path, tag, "SQ", None, self.indices, sop_class_uid=self.sop_class_uid)
        decision = self.study.recipe.decide(field)
        return not decision.kept and decision.rule is not None and decision.rule.action is Action.CLEAN

    def of_item(self, buf: bytes, begin: int, end: int) -> DatasetPlan:
        """This plan for a content item whose elements begin at `begin`: what it is decides of its value."""
        concept = self._concept_of(buf, begin, end)
        if concept is self.concept:
            return self
        plan = self._concepts.get(concept)
        if plan is None:
            plan = self._at(self.path, self.indices, self.encoding, self.encodings)
            plan.cleans, plan.concept = True, concept
            if self.study.remembers():
                self._concepts[concept] = plan
        return plan

    def _concept_of(self, buf: bytes, begin: int, end: int) -> Concept | None:
        if self.path[-1] != MEASURED_VALUE:
            return concept_of(buf, begin, end, self.encoding)
        in_years = self.concept is Concept.AGE and is_in_years(buf, begin, end, self.encoding)
        return Concept.AGE_IN_YEARS if in_years else None

    # ------------------------------------------------------------------------------------------ compiling

    def compile(self, key: bytes) -> tuple[int, ElementAction | None]:
        """What is done to the elements of `key`; DataFault when the key is none that a dataset may hold."""
        encoding = self.encoding
        tag = encoding.tag(key)
        if tag in (ITEM_END, SEQUENCE_END):
            return tag, ElementAction(ActionKind.END, tag, "", long=False)
        vr = "" if encoding.implicit else key[4:6].decode("latin-1")
        group = tag >> 16
        if group in (0x0000, 0x0002, 0xFFFE) or (vr and vr not in values.VRS):
            raise DataFault("BadElement", tag=tag)
        long = vr in values.LONG_VRS
        if tag & 0xFFFF == 0 or tag == TRAILING_PADDING:
            return tag, ElementAction(ActionKind.DROP, tag, vr or "UL", long)
        if group & 1:
            return tag, self._private_key(tag, vr, long)
        return tag, self.action(tag, vr, long, None)

    def _private_key(self, tag: int, vr: str, long: bool) -> ElementAction:
        if self.study.removes_all_private:
            return self._named(ElementAction(ActionKind.DROP, tag, vr or "UN", long), Action.REMOVE)
        if not 0x10 <= tag & 0xFFFF <= 0xFF:
            return ElementAction(ActionKind.PRIVATE, tag, vr, long)
        if vr not in ("", "UN", *values.TEXT_VRS):  # a Private Creator is passed on as it is
            raise DataFault("BadElement", tag=tag)
        return ElementAction(ActionKind.CREATOR, tag, vr, long)

    def private(self, tag: int, vr: str, long: bool, creator: str | None) -> ElementAction | None:
        """What is done to a private element, by its Private Creator."""
        key = (tag, vr, creator)
        if key in self._private:
            return self._private[key]
        found = self.action(tag, vr, long, creator)
        if self.study.remembers():
            self._private[key] = found
        return found

    def action(self, tag: int, written_vr: str, long: bool, creator: str | None) -> ElementAction | None:
        """What is done to the elements of one tag, VR and creator."""
        vr = effective_vr(tag, written_vr)
        if (written_vr == "SQ") != (vr == "SQ") and written_vr not in ("", "UN"):
            raise DataFault("BadElement", tag=tag)
        decision = self.study.recipe.decide(
            Field(self.path, tag, vr, creator, self.indices, sop_class_uid=self.sop_class_uid)
        )
        if creator is not None and decision.kept and decision.rule is not None and decision.rule.of_profile:
            safe = known_as_safe(creator, tag)
            if safe is not None:
                return self._named(self._checked(safe, tag, vr, written_vr, long), Action.KEEP)
        if self.concept is not None and not decision.kept:
            action = self._by_concept(self.concept, tag, vr, long)
            if action is not None:
                return self._named(action, Action.CLEAN)
        if decision.kept or not decision.steps:
            cache = self.kept_cache(decision, tag, vr, written_vr)
            if cache is not None:
                return self._named(ElementAction(ActionKind.VALUE, tag, vr, long, cache=cache), FORM)
            return self._untouched(decision, tag, vr, written_vr, long)
        return self._named(self._ruled(decision, tag, vr, written_vr, long), decision.steps[-1].action)

    def _judges_content(self, decision: Decision, tag: int) -> bool:
        """Whether a value must also speak of nobody: where a profile keeps it, and not a line of the recipe's own."""
        if self.study.recipe.profile is None or not self.study.checks_values:
            return False
        own = decision.rule is not None and not decision.rule.of_profile
        return not own and not tag >> 16 & 1 and tag != SPECIFIC_CHARACTER_SET

    def kept_cache(self, decision: Decision, tag: int, vr: str, written_vr: str) -> ValueCache | None:
        """What becomes of the values of an attribute that no rule changes; None where they may be anything."""
        form = self.form_of(tag, vr, written_vr)
        judge = self.study.judge_of(tag, vr) if self._judges_content(decision, tag) else None
        if form is None and judge is None:
            return None

        def work(raw: bytes) -> bytes | None:
            return self.kept_value(tag, vr, form, judge).changed(raw)

        return ValueCache(work) if form is None or judge is not None else FormCache(form.fits, work)

    def form_of(self, tag: int, vr: str, written_vr: str) -> Form | None:
        """The form of an attribute's values, where they are looked at."""
        return form_of(tag, vr, written_vr) if self.study.checks_values and tag != SPECIFIC_CHARACTER_SET else None

    def kept_value(self, tag: int, vr: str, form: Form | None, judge: Judge | None = None) -> KeptValue:
        """What an attribute's values must be to stay."""
        if form is not None and vr == "UI" and tag not in CLASS_UID_TAGS:
            form = replace(form, repaired=self._pseudonym)
        return KeptValue(
            form,
            None if judge is None else lambda raw: self._judged(raw, tag, vr, judge),
            lambda value: self.encoding.write(tag, vr, value),
            lambda: self._stand_in(tag, vr),
            b"\0" if vr == "UI" else b" ",
        )

    def _judged(self, raw: bytes, tag: int, vr: str, judge: Judge) -> bytes:
        """A value, each of its parts as the judge leaves it; nothing where that cannot be written."""
        found = values.split(values.decode(raw, vr, self.encodings), vr)
        left = tuple(map(judge, found))
        if left == found:
            return raw
        try:
            return values.encode("\\".join(left), vr, self.encoding.order, self.encodings, tag)
        except DataFault:
            return b""

    def _pseudonym(self, raw: bytes) -> bytes:
        """For what stands in the place of a UID: the same text has the same one."""
        return self.study.pseudonyms.uid(raw.decode("latin-1").strip(" \0")).encode("ascii")

    def _stand_in(self, tag: int, vr: str) -> bytes:
        """The element of an attribute whose value goes, by its Type: none, an empty one, or a dummy."""
        type_ = types().type_of(self.sop_class_uid, self.path, tag)
        if may_be_absent(type_):
            return b""
        return self._encoded(tag, vr, dummy_of(tag, vr) if needs_value(type_) else "")

    def _named(self, action: ElementAction, word: str) -> ElementAction:
        action.path, action.action = self.path, str(word)
        return action

    def _checked(self, safe: SafePrivate, tag: int, vr: str, written_vr: str, long: bool) -> ElementAction:
        """A private element that is known to be safe stays if its value is what it should be, else it goes."""
        if safe.is_sequence:
            return (
                self._sequence(tag, "SQ", long)
                if written_vr in ("", "SQ")
                else ElementAction(ActionKind.DROP, tag, vr, long)
            )
        if safe.is_rewritten:
            return ElementAction(
                ActionKind.VALUE, tag, vr, long, cache=ValueCache(LatestValue(self._numbers(safe, tag, vr, written_vr)))
            )

        def stays(raw: bytes) -> bytes | None:
            if not safe.has_form(written_vr, raw):
                return b""
            texts = raw.decode("ascii").strip(" \0").split("\\") if safe.is_text else ()
            return None if all(self.study.cleaner(None).clean(text) == text for text in texts) else b""

        return ElementAction(ActionKind.VALUE, tag, vr, long, cache=ValueCache(stays))

    def _numbers(self, safe: SafePrivate, tag: int, vr: str, written_vr: str) -> Callable[[bytes], bytes | None]:
        """A private element of which a new one is made; it goes where no number is left."""

        def rewritten(raw: bytes) -> bytes | None:
            if not raw:
                return None
            new = safe.rewritten(raw) if safe.has_form(written_vr, raw) else None
            return self.encoding.write(tag, vr, new + bytes(len(new) % 2)) if new else b""

        return rewritten

    def _by_concept(self, concept: Concept, tag: int, vr: str, long: bool) -> ElementAction | None:
        """What a content item's concept alone decides of its value."""
        if tag in IDENTIFYING_VALUES.get(concept, ()):
            dummy = self._encoded(tag, vr, DUMMIES[tag])
            return ElementAction(ActionKind.VALUE, tag, vr, long, cache=ValueCache(lambda raw: dummy if raw else None))
        if concept is not Concept.AGE_IN_YEARS:
            return None
        if tag == NUMERIC:
            capped = self._encoded(tag, vr, str(OLDEST + 1))
            return ElementAction(
                ActionKind.VALUE, tag, vr, long, cache=ValueCache(lambda raw: capped if _is_old(raw) else None)
            )
        return ElementAction(ActionKind.DROP, tag, vr, long) if tag in OTHER_NUMBERS else None

    def _encoded(self, tag: int, vr: str, text: str) -> bytes:
        encoding = self.encoding
        return encoding.write(tag, vr, values.encode(text, vr, encoding.order, self.encodings, tag))

    def _ruled(self, decision: Decision, tag: int, vr: str, written_vr: str, long: bool) -> ElementAction:
        if _leave_nothing(decision.steps):
            return ElementAction(ActionKind.DROP, tag, vr, long)
        fold = ActionChain(self, tag, vr, decision.steps, written_vr)
        if vr == "SQ":
            if fold.codes:
                return ElementAction(ActionKind.VALUE, tag, vr, long, cache=ValueCache(fold.element))
            return self._emptied(tag, long) if fold.blanks else self._sequence(tag, written_vr, long)
        if vr == "UI" and fold.is_pseudonym:
            return ElementAction(ActionKind.VALUE, tag, vr, long, cache=ValueCache(fold.pseudonymous))
        if fold.calls:
            return ElementAction(ActionKind.CALL, tag, vr, long, call=fold.element)
        return ElementAction(ActionKind.VALUE, tag, vr, long, cache=ValueCache(fold.element))

    def _untouched(self, decision: Decision, tag: int, vr: str, written_vr: str, long: bool) -> ElementAction | None:
        if tag == 0x00080005:
            if written_vr not in ("", "CS", "UN"):  # others would read it as numbers, and then nothing of the file
                raise DataFault("BadElement", tag=tag)
            return ElementAction(ActionKind.CHARSET, tag, vr, long)
        if vr == "SQ":
            return self._sequence(tag, written_vr, long)
        if tag in PIXEL_DATA_TAGS and not self.path:
            return ElementAction(ActionKind.BULK, tag, vr, long)
        if vr == "UN":
            return self._sequence(tag, "UN", long)
        if long or vr == "SQ" or (self.encoding.implicit and vr in ("OB", "OW", "UN")):
            return ElementAction(ActionKind.COPY, tag, vr, long)
        return None

    def _sequence(self, tag: int, written_vr: str, long: bool) -> ElementAction:
        return ElementAction(ActionKind.SEQUENCE, tag, written_vr or "SQ", long)

    def _emptied(self, tag: int, long: bool) -> ElementAction:
        empty = self.encoding.write(tag, "SQ", b"")
        return ElementAction(
            ActionKind.VALUE, tag, "SQ", long, cache=ValueCache(lambda value: empty if value else None)
        )

    # ------------------------------------------------------------------------------------------ additions

    def additions(self) -> list[AddedElement]:
        """The elements that rules add to this dataset where absent, ascending by tag, and one of NO_TAG behind them."""
        if self._additions is None:
            wanted = [addition for addition in self.study.additions if self._is_here(addition)]
            added = sorted((self._add(addition) for addition in wanted), key=lambda added: added.tag)
            self._additions = [*added, AddedElement(NO_TAG, bytes)]
        return self._additions

    def additions_up_to(self, tag: int) -> int:
        """How many of them have that tag or one below."""
        return sum(added.tag <= tag for added in self.additions())

    def _is_here(self, addition: Addition) -> bool:
        return (
            tuple(tag for tag, _ in addition.path) == self.path
            and tuple(index for _, index in addition.path) == self.indices
        )

    def _add(self, addition: Addition) -> AddedElement:
        added = AddedElement(addition.tag, ActionChain(self, addition.tag, addition.vr, addition.steps).absent)
        added.action.path = self.path
        return added


# ---------------------------------------------------------------------------------------------- folding


class ActionChain:
    """The steps that befall one attribute, folded over its value."""

    __slots__ = ("_plan", "_steps", "_tag", "_vr", "_written_vr", "blanks", "calls", "codes", "is_pseudonym")

    def __init__(self, plan: DatasetPlan, tag: int, vr: str, steps: tuple[Step, ...], written_vr: str = "") -> None:
        self._plan, self._tag, self._vr = plan, tag, vr
        self._written_vr = written_vr
        self._steps = _after_removal(steps)
        self.blanks = bool(steps) and steps[-1].action is Action.BLANK and not steps[-1].values_list
        self.is_pseudonym = tag not in CLASS_UID_TAGS and [_pseudonym_step(step) for step in steps] == [True]
        self.codes = bool(steps) and steps[-1].value is not None and steps[-1].value.kind == "code"
        self.calls = any(step.value is not None and step.value.kind == "func" for step in steps)

    def pseudonymous(self, raw: bytes) -> bytes | None:
        """As `element`, for the commonest fold: one UID is replaced by its pseudonym."""
        original = raw.strip(b" \0")
        if not original.isascii() or b"\\" in original:
            return self.element(raw)
        uid = self._plan.study.pseudonyms.uid(original.decode("ascii")).encode("ascii")
        if uid == original:
            return None
        return self._plan.encoding.write(self._tag, "UI", uid + b"\0" if len(uid) & 1 else uid)

    def element(self, raw: bytes, image: ImageAtHand | None = None) -> bytes | None:
        """The encoded element for an encoded value: None if unchanged, b"" if it goes."""
        new = self._fold(raw, image)
        if new is None:
            return b""
        if new == raw:
            form = self._plan.form_of(self._tag, self._vr, self._written_vr)
            return None if form is None else self._plan.kept_value(self._tag, self._vr, form).changed(raw)
        return self._plan.encoding.write(self._tag, self._vr, new)

    def absent(self) -> bytes | None:
        """The encoded element where the file has none; None if none is to be."""
        new = self._fold(None, None)
        return None if new is None else self._plan.encoding.write(self._tag, self._vr, new)

    def _fold(self, raw: bytes | None, image: ImageAtHand | None) -> bytes | None:
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
                return self._encode(self._value(step.value, raw, image))
            case _:
                return raw

    def _encode(self, value: Any) -> bytes:
        plan = self._plan
        if self._vr == "SQ":
            return bytes(value)
        try:
            return values.encode(value, self._vr, plan.encoding.order, plan.encodings, self._tag)
        except DataFault:
            if self._vr in values.NUMBERS or self._vr in ("DS", "IS"):
                return b""  # as deid does with a value that is no number
            raise

    def _holds(self, raw: bytes, values_list: str) -> bool:
        pattern = self._plan.study.values.get(values_list)
        return pattern is not None and any(pattern.search(str(value)) for value in self._read(raw))

    def _read(self, raw: bytes) -> tuple[object, ...]:
        return values.read_values(raw, self._vr, self._plan.encoding.order, self._plan.encodings)

    # ------------------------------------------------------------------------------------------ values

    def _value(self, value: Value, raw: bytes | None, image: ImageAtHand | None) -> Any:
        plan = self._plan.study
        match value.kind:
            case "var":
                return plan.variable(value.text)
            case "func":
                return plan.call(value, FunctionField(self._plan, self._tag, self._vr, raw or b""), image)
            case "deid_func":
                return self._deid_func(value, raw or b"")
            case "code":
                return write_items(parse_codes(value.text), self._plan.encoding)
            case _:
                return value.text

    def _deid_func(self, value: Value, raw: bytes) -> Any:
        function, options = DEID_FUNCS.get(value.text), dict(value.options)
        if function is None:
            raise Misconfigured("UnknownFunction", subject=value.text)
        if value.text == "jitter":
            days = int(options.get("days", 1)) + 365 * int(options.get("years", 0))
            return self._shift(raw, days)
        original = [str(part) for part in self._read(raw)]
        if self._tag in CLASS_UID_TAGS:
            return "\\".join(part for part in original if values.is_well_formed(part, "UI"))
        return "\\".join(function(self._plan.study.pseudonyms, self._tag, part, options) for part in original)

    def _jitter(self, raw: bytes, value: Value | None, image: ImageAtHand | None) -> bytes:
        if not raw.strip(b" \0"):
            return raw
        assert value is not None
        return self._encode(self._shift(raw, self._days(value, raw, image)))

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
        cleaned = self._cleaned(raw, days)
        if cleaned.strip(b" \0"):
            return cleaned
        if step.instead is not None:
            return self._encode(self._value(step.instead, raw, None))
        return self._encode(DUMMIES.get(self._tag, ""))

    def _cleaned(self, raw: bytes, days: int | None) -> bytes:
        """What may stay of a value, by its VR; dates go where there is no number of days to shift them by."""
        match self._vr:
            case "DA" | "DT":
                return b"" if days is None else self._encode(self._shift(raw, days))
            case "UI":
                return self._encode(self._deid_func(PSEUDONYM, raw))
            case "AS":
                return self._encode(self._deid_func(Value("deid_func", "cap_age"), raw))
            case "TM":
                return b"" if days is None else raw
            case "PN" | "UR":
                return b""
            case vr if vr in values.CHARSET_VRS or vr in ("AE", "CS"):
                return self._cleaned_text(raw, days)
            case vr if vr in values.BYTES_VRS:
                return b""
            case _:  # a number
                return raw

    def _cleaned_text(self, raw: bytes, days: int | None) -> bytes:
        found = values.split(values.decode(raw, self._vr, self._plan.encodings), self._vr)
        cleaner = self._plan.study.cleaner(days)
        clean = cleaner.without_identifiers if self._tag in CODES else cleaner.clean
        if self._vr in ("AE", "CS"):
            clean = cleaner.clean_term
        cleaned = tuple(map(clean, found))
        if cleaned == found:
            return raw
        try:
            return self._encode("\\".join(cleaned))
        except DataFault:
            return b""  # it cannot be written back in its character set

    def _shift(self, raw: bytes, days: int) -> str:
        """Each value shifted; one that is not understood is emptied, for a date that was not shifted must not leave."""
        return "\\".join(_shifted(str(part), self._vr, days) or "" for part in self._read(raw))


def _is_old(raw: bytes) -> bool:
    """Whether a DS value says more years than may be told; what is no number is as well."""
    try:
        return not float(raw.strip(b" \0")) < OLDEST + 1
    except ValueError:
        return True


def _pseudonym_step(step: Step) -> bool:
    """Whether a step replaces a UID by its pseudonym under 2.25."""
    return step.action is Action.REPLACE and step.value == Value("deid_func", "pydicom_uuid") and not step.values_list


def _removes(step: Step) -> bool:
    """Whether a step removes whatever the value is."""
    return step.action is Action.REMOVE and step.value is None and step.values_list is None


def _after_removal(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps behind the last one that removes whatever the value is; all where there is none."""
    last = max((n for n, step in enumerate(steps) if _removes(step)), default=-1)
    return steps[last + 1 :]


def _leave_nothing(steps: tuple[Step, ...]) -> bool:
    """Whether the element is removed, and nothing added in its place, whatever the value is."""
    if _removes(steps[-1]):
        return True
    after = _after_removal(steps)
    return len(after) < len(steps) and not any(step.action is Action.ADD for step in after)


def _shifted(text: str, vr: str, days: int) -> str | None:
    if vr == "DA":
        return shift_date(text, days)
    if vr == "DT":
        return shift_datetime(text, days)
    return shift_date(text, days) or shift_datetime(text, days)


def _pydicom_uuid(pseudonyms: Pseudonyms, tag: int, original: str, options: Mapping[str, str]) -> str:
    prefix = options.get("prefix", "2.25.")
    uid = pseudonyms.uid(original)
    if prefix == "2.25." or uid == original:
        return uid
    return (prefix + str(pseudonyms.number("uid" + prefix, original)))[:64]


def _dicom_uuid(pseudonyms: Pseudonyms, tag: int, original: str, options: Mapping[str, str]) -> str:
    root = options.get("org_root", "2.25")
    return _pydicom_uuid(pseudonyms, tag, original, {"prefix": f"{root}."} if re.fullmatch(r"[\d.]+", root) else {})


def _uuid_text(pseudonyms: Pseudonyms, tag: int, original: str) -> str:
    number = pseudonyms.number(f"uuid/{tag:08X}", original)
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _basic_uuid(pseudonyms: Pseudonyms, tag: int, original: str, options: Mapping[str, str]) -> str:
    return _uuid_text(pseudonyms, tag, original)


def _suffix_uuid(pseudonyms: Pseudonyms, tag: int, original: str, options: Mapping[str, str]) -> str:
    return f"{keyword_for_tag(tag).lower()}-{_uuid_text(pseudonyms, tag, original)}"


def _jitter_placeholder(pseudonyms: Pseudonyms, tag: int, original: str, options: Mapping[str, str]) -> str:
    raise AssertionError("jitter is folded, not called")


DEID_FUNCS: dict[str, Callable[[Pseudonyms, int, str, Mapping[str, str]], str]] = {
    "cap_age": lambda _pseudonyms, _tag, original, options: cap_age(original, int(options.get("max", OLDEST))),
    "jitter": _jitter_placeholder,
    "pydicom_uuid": _pydicom_uuid,
    "dicom_uuid": _dicom_uuid,
    "basic_uuid": _basic_uuid,
    "suffix_uuid": _suffix_uuid,
}
"""deid's own functions, keyed here, so that the same value becomes the same pseudonym everywhere."""


class FunctionField:
    """What a `func:` callable is told of its element, under deid's names: `element`, `name` (the keywords from the
    outermost sequence inwards, joined by "__") and `uid` (the tags likewise)."""

    def __init__(self, plan: DatasetPlan, tag: int, vr: str, raw: bytes) -> None:
        self._plan, self.tag, self._vr, self._raw = plan, tag, vr, raw

    @property
    def name(self) -> str:
        return "__".join(keyword_for_tag(tag) for tag in (*self._plan.path, self.tag))

    @property
    def uid(self) -> str:
        return "__".join(f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in (*self._plan.path, self.tag))

    @property
    def element(self) -> DataElement:
        """The element as pydicom has it."""
        found = values.read_values(self._raw, self._vr, self._plan.encoding.order, self._plan.encodings)
        return DataElement(self.tag, self._vr, found[0] if len(found) == 1 else list(found) or None)


# ---------------------------------------------------------------------------------------------- the plan


@lru_cache(maxsize=256)
def _known_class(encoded_uid: bytes) -> str:
    """The SOP Class UID if the Types of its attributes are known, else an empty string."""
    uid = encoded_uid.rstrip(b" \0").decode("ascii", "replace")
    return uid if uid in types().roots else ""


class StudyPlan:
    """A recipe with its variables, pseudonyms and functions.

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
    """

    MOST = 50_000
    """What is remembered of keys and levels. Hostile files make ever new ones; those beyond are compiled again."""

    def __init__(
        self,
        recipe: Recipe,
        pseudonyms: Pseudonyms,
        variables: Mapping[str, Any],
        value_lists: Mapping[str, frozenset[str]] | None = None,
        identifiers: Iterable[Identifier] = (),
        *,
        checks_values: bool = True,
    ) -> None:
        self._identifiers, self.checks_values = tuple(identifiers), checks_values
        self._cleaners: dict[int | None, Cleaner] = {}
        self.recipe, self.pseudonyms, self.variables = recipe, pseudonyms, variables
        self.additions = recipe.additions
        self.values = {name: _any_of(terms) for name, terms in (value_lists or {}).items() if terms}
        self.removes_all_private, self.uses_indices = recipe.removes_all_private, recipe.uses_indices
        self._uses_classes = recipe.uses_types or checks_values
        self._roots: dict[tuple[Encoding, str], DatasetPlan] = {}
        self._remembered = 0

    def root_of(self, part_ten: PartTen) -> DatasetPlan:
        """The plan of an opened file's dataset."""
        return self.root(part_ten.encoding, _known_class(part_ten.encoded_sop_class_uid) if self._uses_classes else "")

    def root(self, encoding: Encoding, sop_class_uid: str = "") -> DatasetPlan:
        """The plan of a file's dataset; of a SOP class whose attributes' Types are known, one of its own."""
        if self._remembered >= self.MOST:
            self._roots.clear()
            self._remembered = 0
        plan = self._roots.get((encoding, sop_class_uid))
        if plan is None:
            plan = DatasetPlan(self, (), (), encoding, values.DEFAULT_CHARSET, sop_class_uid)
            self._roots[encoding, sop_class_uid] = plan
            plan.memory = None if self.recipe.calls else RunMemory()
        return plan

    def remembers(self) -> bool:
        """Whether one more key or plan may be remembered; it counts as one."""
        self._remembered += 1
        return self._remembered < self.MOST

    def cleaner(self, days: int | None) -> Cleaner:
        """What cleans the study's texts; dates in them are shifted by `days`, or go."""
        if days not in self._cleaners:
            self._cleaners[days] = Cleaner(self._identifiers, days)
        return self._cleaners[days]

    def judge_of(self, tag: int, vr: str) -> Judge | None:
        """What says what may stay of one value that a profile keeps; None where any value may."""
        closed = enumerated_values().get(tag)
        if closed is not None:
            return lambda text: enumerated(closed, text)
        if vr == "CS":
            return self.verified_cleaner.body_part if tag == BODY_PART_EXAMINED else self.verified_cleaner.device_term
        if tag in READ_BY_MACHINES:
            return self.verified_cleaner.without_identifiers
        if tag in VERSIONS:
            return self.verified_cleaner.clean_version
        return self.verified_cleaner.clean_device_text if vr in ("LO", "SH", "UC") else None

    @cached_property
    def verified_cleaner(self) -> Cleaner:
        """What judges the values that a profile keeps. It may keep stations and institutions: they count for nobody.

        Dates in what devices write of themselves are the same for all patients, so they are never shifted: they go.
        """
        assert self.recipe.profile is not None
        verified = [identifier for identifier in self._identifiers if identifier.kind in VERIFIED]
        return Cleaner(verified, 0 if self.recipe.profile.dates == FULL_DATES else None)

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
