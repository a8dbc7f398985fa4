"""The rules of a recipe, and what they come to for one element. Which rule wins stands in `precedence`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sendit.deid.recipe.addresses import Field
from sendit.deid.recipe.selectors import AnyOf, Everything, SelectGroup, Selector, SelectPrivate


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
        """Whether a value decides if it applies, so that it applies to some elements of its FIELD and not to others."""
        return self.values_list is not None or (self.action is Action.REMOVE and self.value is not None)


@dataclass(frozen=True, slots=True)
class Step:
    """One action that is done to an element.

    With `values_list`, it is done only where the element's value at that moment matches that %values list. `instead` is
    what a CLEAN that leaves nothing puts in its place.
    """

    action: Action
    value: Value | None
    rule: Rule
    values_list: str | None = None
    instead: Value | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done to an element: `kept` means that its bytes stay; otherwise the steps change its value in turn.

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
        return is_exact(self.selector) and not self.rule.is_conditional and not self.rule.of_profile

    @property
    def cleans_by_name(self) -> bool:
        """Whether it is a CLEAN of attributes that it names, so that it speaks of their values as the file has them."""
        return self.rule.action is Action.CLEAN and is_exact(self.selector)

    @property
    def may_spare_private(self) -> bool:
        """Whether it may keep a private element that REMOVE ALL would remove."""
        if self.rule.action not in (Action.KEEP, Action.REPLACE, Action.JITTER) and not self.cleans_by_name:
            return False
        return self.selector.names_private or not _speaks_of_public_only(self.selector)


def is_exact(selector: Selector) -> bool:
    """Whether a FIELD names attributes, one by one."""
    if isinstance(selector, AnyOf):
        return all(map(is_exact, selector.selectors))
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
