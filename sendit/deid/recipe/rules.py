"""What a recipe's rules do to one element: its address in, the steps that befall it out. Knows no bytes, no values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from sendit.deid.recipe.addresses import Address, Field
from sendit.deid.recipe.selectors import (
    AnyOf,
    Everything,
    OfType,
    Path,
    SelectGroup,
    Selector,
    SelectPrivate,
    Tag,
    only_tag,
)
from sendit.deid.standard.content import CONTENT_TEXTS
from sendit.deid.stream.tags import default_vr, is_private
from sendit.deid.stream.values import TEXT_VRS


class Action(StrEnum):
    """The seven words that begin a %header rule."""

    ADD = "ADD"
    BLANK = "BLANK"
    CLEAN = "CLEAN"
    JITTER = "JITTER"
    KEEP = "KEEP"
    REPLACE = "REPLACE"
    REMOVE = "REMOVE"


@dataclass(frozen=True, slots=True)
class Value:
    """A rule's value: `kind` is "literal", "var", "func", "deid_func" or "code"; `text` the literal or the name.

    Of a "code" it is the items of a code sequence, each as the Standard writes one: (113100, DCM, "meaning").
    """

    kind: str
    text: str
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        prefix = "" if self.kind == "literal" else f"{self.kind}:"
        return " ".join((prefix + self.text, *(f"{name}={option}" for name, option in self.options)))


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a recipe's %header; `str(rule)` is that line, its words one space apart and its comment gone.

    With `values_list`, it speaks only of elements whose value matches that %values list. Those `of_profile` are of a
    %profile section, or what a PROFILE line stands for: any other rule overrules them.
    """

    action: Action
    field: str
    value: Value | None
    line: int
    column: int
    file: str
    values_list: str | None = None
    of_profile: bool = False

    def __str__(self) -> str:
        condition = f"values:{self.values_list}" if self.values_list and not self.field.startswith("values:") else ""
        return " ".join(filter(None, (self.action, self.field, str(self.value or ""), condition)))

    @property
    def is_conditional(self) -> bool:
        """Whether a value decides if it applies, so that it may befall an element or not."""
        return self.values_list is not None or (self.action is Action.REMOVE and self.value is not None)


@dataclass(frozen=True, slots=True)
class Step:
    """One action that befalls an element.

    With `values_list`, it does so only where the element's value at that moment matches that %values list. `instead` is
    what a CLEAN that leaves nothing puts in its place.
    """

    action: Action
    value: Value | None
    rule: Rule
    values_list: str | None = None
    instead: Value | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What befalls an element: `kept` means that its bytes stay; otherwise the steps are folded over its value.

    `rule` is the one that decided: the KEEP that holds, or the last step's; None where no rule speaks of the element.
    """

    kept: bool
    steps: tuple[Step, ...]
    rule: Rule | None


@dataclass(frozen=True, slots=True)
class Addition:
    """An attribute that a rule adds where it is absent: `path` is (sequence tag, item number) pairs, outermost first.

    `steps` begin with an ADD and go on with whatever later rules do to that attribute.
    """

    path: tuple[tuple[int, int], ...]
    tag: int
    vr: str
    steps: tuple[Step, ...]


# ---------------------------------------------------------------------------------------------- what no rule may do

PIXEL_DATA = (0x7FE00008, 0x7FE00009, 0x7FE00010)
PALETTES = (0x00281201, 0x00281202, 0x00281203)
VOI_LUT_SEQUENCE, LUT_DESCRIPTOR, LUT_DATA = 0x00283010, 0x00283002, 0x00283006
SPECIFIC_CHARACTER_SET, SOP_CLASS_UID, REFERENCED_SOP_CLASS_UID = 0x00080005, 0x00080016, 0x00081150

PROTECTED = frozenset((*PIXEL_DATA, *PALETTES, SPECIFIC_CHARACTER_SET, SOP_CLASS_UID, REFERENCED_SOP_CLASS_UID))
"""Attributes that no rule touches: they say what the bytes are, not whose."""

NEEDED_UIDS = frozenset({0x00080018, 0x00081155, 0x0020000D, 0x0020000E, 0x00200052})
"""SOP Instance, Referenced SOP Instance, Study, Series and Frame of Reference UID: Type 1 where they stand (PS3.3)."""

PSEUDONYM = Value("deid_func", "pydicom_uuid")


def is_protected(field: Field) -> bool:
    """Whether no rule may touch the element."""
    if field.tag in (LUT_DESCRIPTOR, LUT_DATA) and field.path[-1:] == (VOI_LUT_SEQUENCE,):
        return True
    return field.file_meta or field.tag in PROTECTED or (field.tag == VOI_LUT_SEQUENCE and field.vr == "SQ")


# ---------------------------------------------------------------------------------------------- rules as a whole


@dataclass(frozen=True, slots=True)
class BoundRule:
    """A Rule and what its FIELD matches; an ADD's selector is a Path, for it names one place."""

    rule: Rule
    selector: Selector

    @property
    def removes_private(self) -> bool:
        """Whether it is REMOVE select:private:yes, which spares only private elements that a rule names."""
        return self._always_removes and self.selector == SelectPrivate(True)

    @property
    def removes_everything(self) -> bool:
        return self._always_removes and self.selector == Everything()

    @property
    def _always_removes(self) -> bool:
        return self.rule.action is Action.REMOVE and not self.rule.is_conditional

    @property
    def holds_back_remove(self) -> bool:
        """Whether an element that it speaks of is not removed by another rule."""
        changes = self.rule.action in (Action.REPLACE, Action.JITTER) or self.cleans_by_name
        return changes and self.rule.values_list is None and not self.rule.of_profile

    @property
    def overrules_profile(self) -> bool:
        """Whether what a %profile says of the element is as if it were not there."""
        return _is_exact(self.selector) and not self.rule.is_conditional and not self.rule.of_profile

    @property
    def cleans_by_name(self) -> bool:
        """Whether it is a CLEAN of attributes that it names, so that it speaks of their values as the file has them."""
        return self.rule.action is Action.CLEAN and _is_exact(self.selector)

    @property
    def may_spare_private(self) -> bool:
        """Whether it may keep a private element that REMOVE ALL would remove."""
        if self.rule.action not in (Action.KEEP, Action.REPLACE, Action.JITTER) and not self.cleans_by_name:
            return False
        return self.selector.names_private or not _speaks_of_public_only(self.selector)


def _is_exact(selector: Selector) -> bool:
    if isinstance(selector, AnyOf):
        return all(map(_is_exact, selector.selectors))
    return selector.key is not None


def _speaks_of_public_only(selector: Selector) -> bool:
    match selector:
        case SelectGroup(group):
            return not group & 1
        case SelectPrivate(private):
            return not private
        case AnyOf(selectors):
            return all(map(_speaks_of_public_only, selectors))
        case _:
            return selector.key is not None and not selector.names_private


class RuleSet:
    """A recipe's rules in order, with the look-ups that make `decide` fast."""

    REMEMBERED = 65536

    def __init__(self, rules: Sequence[BoundRule]) -> None:
        self.rules = tuple(rules)
        self._by_key: defaultdict[Hashable, list[tuple[int, BoundRule]]] = defaultdict(list)
        self._unkeyed: list[tuple[int, BoundRule]] = []
        for order, bound in enumerate(self.rules):
            (self._unkeyed if bound.selector.key is None else self._by_key[bound.selector.key]).append((order, bound))
        self._decisions: dict[Field, Decision] = {}
        self.purges_private = any(bound.removes_private for bound in self.rules)
        self._cleans = any(bound.cleans_by_name for bound in self.rules)

    @cached_property
    def uses_indices(self) -> bool:
        """Whether a rule tells the items of a sequence apart."""
        return any(_uses_indices(bound.selector) for bound in self.rules)

    @cached_property
    def uses_types(self) -> bool:
        """Whether a rule asks for the Type that an attribute has in the file's IOD."""
        return any(_uses_types(bound.selector) for bound in self.rules)

    @cached_property
    def uses_values(self) -> bool:
        """Whether a rule asks for a %values list."""
        return any(bound.rule.values_list is not None for bound in self.rules)

    @cached_property
    def removes_all_private(self) -> bool:
        """Whether every private element goes, whatever it is."""
        if self.purges_private:
            spare = (Action.KEEP, Action.REPLACE, Action.JITTER, Action.CLEAN)
            return not any(b.selector.names_private and b.rule.action in spare for b in self.rules)
        everything = any(bound.removes_everything for bound in self.rules)
        return everything and not any(bound.may_spare_private for bound in self.rules)

    def decide(self, field: Field) -> Decision:
        """What the rules do to a present element; depends on its address alone."""
        decision = self._decisions.get(field)
        if decision is None:
            if len(self._decisions) >= self.REMEMBERED:
                self._decisions.clear()
            decision = self._decisions[field] = self._decide(field)
        return decision

    def keeps_by_name(self, rule: Rule) -> bool:
        """Whether a rule is a KEEP of the recipe's own, of an attribute that it names."""
        bound = next((bound for bound in self.rules if bound.rule is rule), None)
        return bound is not None and rule.action is Action.KEEP and bound.overrules_profile

    @cached_property
    def calls(self) -> bool:
        """Whether a rule calls a registered function."""
        return any(bound.rule.value is not None and bound.rule.value.kind == "func" for bound in self.rules)

    @cached_property
    def cleans(self) -> bool:
        """Whether a rule leaves of values what does not identify."""
        return any(bound.rule.action is Action.CLEAN for bound in self.rules)

    @cached_property
    def additions(self) -> tuple[Addition, ...]:
        """The places that ADD rules name, each with the steps that follow where nothing is there."""
        places = {bound.selector: None for bound in self.rules if bound.rule.action is Action.ADD}
        additions = (self._addition(place) for place in places if isinstance(place, Path))
        return tuple(addition for addition in additions if addition.steps)

    def _addition(self, place: Path) -> Addition:
        tag = only_tag(place.leaf)
        assert tag is not None
        path = tuple((sequence, index or 0) for sequence, index in place.sequences)
        field = Field(tuple(t for t, _ in path), tag, default_vr(tag), None, tuple(index for _, index in path))
        return Addition(path, tag, field.vr, _steps(self._since_add(self._matching(field)), field))

    def _decide(self, field: Field) -> Decision:
        if is_protected(field):
            return Decision(field.vr != "SQ", (), None)
        matching = self._matching(field)
        keep = self._keep(field, matching)
        steps = _steps(self._since_add(matching) if keep else matching, field)
        if keep and not steps:
            return Decision(True, (), keep)
        if not steps and matching and matching[0].rule.of_profile:  # its KEEP; what a sequence holds has its own rules
            return Decision(field.vr != "SQ", (), matching[0].rule)
        return Decision(False, steps, steps[-1].rule if steps else None)

    def _keep(self, field: Field, matching: list[BoundRule]) -> Rule | None:
        for bound in matching:
            if bound.rule.action is Action.KEEP and not bound.rule.of_profile:
                return bound.rule
        for depth, sequence in enumerate(field.path):
            path, indices = field.path[:depth], field.indices[:depth]
            outer = self.decide(Field(path, sequence, "SQ", None, indices, sop_class_uid=field.sop_class_uid))
            if outer.kept:
                return outer.rule
        return None

    @staticmethod
    def _since_add(matching: list[BoundRule]) -> list[BoundRule]:
        first = next((n for n, bound in enumerate(matching) if bound.rule.action is Action.ADD), len(matching))
        return matching[first:]

    def _matching(self, field: Field) -> list[BoundRule]:
        candidates = [*self._candidates(Address(field)), *self._cleaning_content(field)]
        matching = [bound for _, bound in sorted(candidates, key=lambda pair: pair[0])]
        if is_private(field.tag) and any(bound.removes_private for bound in matching):
            return _layered([bound for bound in matching if bound.removes_private or bound.selector.names_private])
        return _layered(matching or [bound for _, bound in self._cleaning(field)])

    def _cleaning_content(self, field: Field) -> Iterator[tuple[int, BoundRule]]:
        """The CLEAN of an enclosing sequence, as if it named the text of a content item that this is."""
        if field.tag in CONTENT_TEXTS:
            yield from self._cleaning(field)

    def _cleaning(self, field: Field) -> Iterator[tuple[int, BoundRule]]:
        """The CLEAN that befalls the outermost cleaned sequence around, as if it named this element."""
        for depth, sequence in enumerate(field.path if self._cleans else ()):
            path, indices = field.path[:depth], field.indices[:depth]
            outer = self.decide(Field(path, sequence, "SQ", None, indices, sop_class_uid=field.sop_class_uid))
            rule = outer.rule
            if rule is not None and rule.action is Action.CLEAN and not outer.kept:
                order = next(n for n, bound in enumerate(self.rules) if bound.rule is rule)
                yield order, BoundRule(rule, Tag(field.tag))
                return

    def _candidates(self, address: Address) -> Iterator[tuple[int, BoundRule]]:
        for key in dict.fromkeys(address.keys()):
            yield from ((n, bound) for n, bound in self._by_key.get(key, ()) if bound.selector.matches(address))
        yield from ((n, bound) for n, bound in self._unkeyed if bound.selector.matches(address))


def _layered(matching: list[BoundRule]) -> list[BoundRule]:
    """The one rule of a %profile that befalls an element, and the recipe's own behind it.

    A rule that names the element goes before one for its kind, of several the last. Before a CLEAN goes the REPLACE
    that says what stands there if nothing is left. Where one of the recipe's own names it, the profile's is displaced.
    """
    profile = [bound for bound in matching if bound.rule.of_profile]
    own = [bound for bound in matching if not bound.rule.of_profile]
    if not profile or any(bound.overrules_profile for bound in own):
        return own
    closest = [bound for bound in profile if _is_exact(bound.selector)] or profile
    with_dummy = closest[-1].cleans_by_name and [b.rule.action for b in closest[-2:-1]] == [Action.REPLACE]
    return [*closest[-2 if with_dummy else -1 :], *own]


def _uses_types(selector: Selector) -> bool:
    return isinstance(selector, OfType) or (isinstance(selector, AnyOf) and any(map(_uses_types, selector.selectors)))


def _uses_indices(selector: Selector) -> bool:
    if isinstance(selector, AnyOf):
        return any(map(_uses_indices, selector.selectors))
    return isinstance(selector, Path) and selector.uses_indices


def _steps(matching: list[BoundRule], field: Field) -> tuple[Step, ...]:
    held_back = any(bound.holds_back_remove for bound in matching)
    steps: list[Step] = []
    for bound in matching:
        rule = bound.rule
        if rule.action is Action.REMOVE and held_back and not rule.of_profile:
            continue
        if _is_gone(steps) and rule.action is not Action.ADD:
            continue
        asked = Step(rule.action, rule.value, rule, rule.values_list)
        if _repeats_profile(steps, asked):
            continue
        if rule.action is Action.CLEAN:
            _clean(steps, bound, field)
            continue
        step = _lawful(asked, field)
        if step is None:
            continue
        if step.action is Action.REMOVE and not rule.is_conditional:
            steps.clear()
        steps.append(step)
    return tuple(steps)


def _clean(steps: list[Step], bound: BoundRule, field: Field) -> None:
    """A CLEAN by name takes the value as the file has it, unless a rule has set another with ADD."""
    if not bound.cleans_by_name:
        if field.vr != "SQ":
            steps.append(Step(Action.CLEAN, bound.rule.value, bound.rule))
        return
    if any(step.action is Action.ADD for step in steps):
        return
    last = steps[-1] if steps else None
    given = last is not None and last.action is Action.REPLACE and last.value is not None
    instead = last.value if last and given and last.value and last.value.kind in ("literal", "var") else None
    steps[:] = [Step(Action.CLEAN, bound.rule.value, bound.rule, None, instead)]


def _repeats_profile(steps: list[Step], step: Step) -> bool:
    """Whether a rule of the recipe's own says again what the profile's did: a date is not shifted twice."""
    if not steps or not steps[-1].rule.of_profile:
        return False
    return (steps[-1].action, steps[-1].value, None) == (step.action, step.value, step.values_list)


def _is_gone(steps: list[Step]) -> bool:
    return bool(steps) and steps[-1].action is Action.REMOVE and not steps[-1].rule.is_conditional


def _speaks_of_values(step: Step) -> bool:
    if step.value is not None and step.value.kind == "code":
        return False
    return step.action in (Action.REPLACE, Action.JITTER) or step.rule.is_conditional


def _lawful(step: Step, field: Field) -> Step | None:
    """The step as it may befall this element, or None."""
    if step.action is Action.KEEP:
        return None
    if field.vr == "SQ" and _speaks_of_values(step):
        return None  # a sequence has no value; the rule speaks to what it holds
    if field.tag in NEEDED_UIDS and step.action in (Action.REMOVE, Action.BLANK, Action.JITTER):
        return replace(step, action=Action.REPLACE, value=PSEUDONYM)
    if step.action is Action.JITTER and (field.vr == "TM" or field.vr not in TEXT_VRS):
        return None  # whole days leave a time of day as it is, and a number is no date
    return step
