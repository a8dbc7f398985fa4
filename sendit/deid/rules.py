"""What a recipe's rules do to one element: its address in, the steps that befall it out. Knows no bytes and no values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """The six words that begin a %header rule."""

    ADD = "ADD"
    BLANK = "BLANK"
    JITTER = "JITTER"
    KEEP = "KEEP"
    REPLACE = "REPLACE"
    REMOVE = "REMOVE"


@dataclass(frozen=True, slots=True)
class Field:
    """The address of one element, what rules match against.

    Parameters
    ----------
    path : tuple of int
        Tags of the enclosing sequences, outermost first.
    tag : int
        The Data Element Tag as 0xGGGGEEEE.
    vr : str
        The Value Representation the element is read with.
    private_creator : str, optional
        The Private Creator, for a private element (of the element itself, not of its enclosing sequences).
    indices : tuple of int
        Item numbers along `path`, from 0; filled only where `Recipe.uses_indices`.
    file_meta : bool
        Whether the element belongs to the File Meta Information.
    """

    path: tuple[int, ...]
    tag: int
    vr: str
    private_creator: str | None = None
    indices: tuple[int, ...] = ()
    file_meta: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """A rule's value: `kind` is "literal", "var", "func" or "deid_func"; `text` the literal or the name."""

    kind: str
    text: str
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a recipe's %header; `str(rule)` is that line, its words one space apart and its comment gone."""

    action: Action
    field: str
    value: Value | None
    line: int
    column: int
    file: str


@dataclass(frozen=True, slots=True)
class Step:
    """One action that befalls an element.

    With `values_list`, it does so only where the element's value at that moment matches that %values list.
    """

    action: Action
    value: Value | None
    rule: Rule
    values_list: str | None = None


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
