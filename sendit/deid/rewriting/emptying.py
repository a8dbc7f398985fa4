"""What becomes of a value in an output in which an identifier was found: emptied, or a dummy, by its attribute's Type.

Only where neither is possible is the image withheld. What the recipe itself wrote there is no trace of anybody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sendit.deid.identifiers.identifiers import DAY_TAGS, TAGS
from sendit.deid.identifiers.own_terms import holds_its_own_term
from sendit.deid.recipe.addresses import Field
from sendit.deid.recipe.profile_rules import DUMMIES
from sendit.deid.recipe.recipe import Recipe
from sendit.deid.recipe.rules import NEEDED_UIDS, PROTECTED, Action, Step
from sendit.deid.rewriting.actions import ElementAction, emptied
from sendit.deid.rewriting.kept import dummy_of, needs_value
from sendit.deid.standard.attribute_types import types
from sendit.deid.standard.codes import parse_codes
from sendit.deid.standard.content import DUMMIES as CONTENT_DUMMIES
from sendit.deid.stream.elements import elements
from sendit.deid.stream.encodings import UNDEFINED, Encoding
from sendit.deid.stream.heads import DEEP
from sendit.deid.stream.sources import Bulk
from sendit.deid.stream.tags import ITEM, PIXEL_DATA_TAGS
from sendit.deid.stream.values import NUMBERS
from sendit.errors import DataFault

_DUMMIES = frozenset({"removed", *DUMMIES.values(), *(dummy.lower() for dummy in CONTENT_DUMMIES.values())})
IDENTIFYING = frozenset(TAGS) - frozenset(DAY_TAGS)
"""Attributes that identify by what they are."""
_NUMBER_VRS = NUMBERS.keys() | {"DS", "IS", "AT"}


@dataclass(frozen=True, slots=True)
class ResidualValue:
    """A value in which an identifier was found."""

    path: tuple[int, ...]
    tag: int
    vr: str
    value: bytes


class Emptier:
    """Takes values that still identify out of the outputs of one recipe.

    Parameters
    ----------
    recipe : Recipe
    spoken : mapping of str to object
        The recipe's variables whose values the operator gave: like the recipe's own words, they are no trace.
    """

    def __init__(self, recipe: Recipe, spoken: Mapping[str, object]) -> None:
        self._recipe, self._spoken = recipe, {name: str(value) for name, value in spoken.items()}

    def without(
        self, piece: bytes, encoding: Encoding, starts: Collection[int], sop_class_uid: str
    ) -> tuple[bytes, tuple[ElementAction, ...]]:
        """A run of elements without the values of those that begin at `starts`, and what was done to them.

        Raises
        ------
        DataFault
            ResidualIdentifier, with the tag: the value is one that the image cannot be without.
        """
        rebuilt, actions = _Rebuilt(piece), []
        for tag, vr, written, start, begin, end, inside in elements(piece, 0, len(piece), DEEP[encoding]):
            if start in starts and vr and end >= 0:
                found = ResidualValue(rebuilt.path, tag, vr, piece[begin:end])
                if not self._is_spoken(found, sop_class_uid):
                    new = self._instead(found, sop_class_uid)
                    actions.append(emptied(found.path, found.tag))
                    rebuilt.put(inside.write(tag, written or vr, new))
                    continue
            rebuilt.add(tag, vr, start, begin, end, inside)
        return rebuilt.joined(), tuple(actions)

    def bulk(self, bulk: Bulk, vr: str, encoding: Encoding, sop_class_uid: str) -> tuple[bytes, ElementAction]:
        """As `without`, of a value that is not held in memory."""
        found = ResidualValue((), bulk.tag, vr, b"")
        return encoding.write(bulk.tag, vr, self._instead(found, sop_class_uid)), emptied(found.path, found.tag)

    def _instead(self, found: ResidualValue, sop_class_uid: str) -> bytes:
        tag = found.tag
        if tag in PIXEL_DATA_TAGS or tag in PROTECTED or tag in NEEDED_UIDS:
            raise DataFault("ResidualIdentifier", tag=tag)
        if tag >> 16 & 1 or not needs_value(types().type_of(sop_class_uid, found.path, tag)):
            return b""
        dummy = "" if found.vr in _NUMBER_VRS else dummy_of(tag, found.vr)
        if not dummy or found.vr.startswith("O") or found.vr == "UN":
            raise DataFault("ResidualIdentifier", tag=tag)
        return (dummy + " " * (len(dummy) % 2)).encode("ascii")

    # ------------------------------------------------------------------------------------------ the recipe's word

    def _is_spoken(self, found: ResidualValue, sop_class_uid: str) -> bool:
        """Whether the value is there by the word of the recipe: a text of its own, a dummy, or kept by name."""
        text = found.value.decode("latin-1").strip(" \0")
        if text.lower() in _DUMMIES or holds_its_own_term(found.tag, text):
            return True
        decision = self._recipe.decide(self._field(found.path, found.tag, found.vr, sop_class_uid))
        if decision.kept:  # a text is kept for what it says: who else turns up in it is not meant
            is_meant = found.tag in IDENTIFYING or found.vr == "PN"
            return is_meant and decision.rule is not None and self._recipe.ruleset.keeps_by_name(decision.rule)
        if text in self._texts(decision.steps):
            return True
        if not found.path:
            return False
        outer = self._field(found.path[:-1], found.path[-1], "SQ", sop_class_uid)
        return text in self._codes(self._recipe.decide(outer).steps)

    def _field(self, path: tuple[int, ...], tag: int, vr: str, sop_class_uid: str) -> Field:
        indices = (0,) * len(path) if self._recipe.uses_indices else ()
        return Field(path, tag, vr, None, indices, sop_class_uid=sop_class_uid)

    def _texts(self, steps: tuple[Step, ...]) -> set[str]:
        """What the steps write of the recipe's own."""
        values = [step.value for step in steps if step.action in (Action.ADD, Action.REPLACE) and step.value]
        texts = {value.text for value in values if value.kind == "literal"}
        return texts | {self._spoken[v.text] for v in values if v.kind == "var" and v.text in self._spoken}

    def _codes(self, steps: tuple[Step, ...]) -> set[str]:
        """The parts of the codes that the steps write."""
        texts = [step.value.text for step in steps if step.value and step.value.kind == "code"]
        codes = [code for text in texts for code in parse_codes(text)]
        return {part for code in codes for part in (code.value, code.scheme, code.meaning)}


class _Rebuilt:
    """A run of elements put together again, with the lengths of what is around changed values."""

    __slots__ = ("_open", "_parts", "_piece", "path")

    def __init__(self, piece: bytes) -> None:
        self._piece = piece
        self._parts: list[list[bytes]] = [[]]
        self._open: list[tuple[bytes, Encoding]] = []
        self.path: tuple[int, ...] = ()

    def put(self, element: bytes) -> None:
        self._parts[-1].append(element)

    def add(self, tag: int, vr: str, start: int, begin: int, end: int, encoding: Encoding) -> None:
        """The next element as it is, or the beginning or end of a sequence or item."""
        if vr and end >= 0:
            self.put(self._piece[start:end])
        elif vr or tag == ITEM:
            self._open.append((self._piece[start:begin], encoding))
            self._parts.append([])
            if vr:
                self.path = (*self.path, tag)
        else:
            self._close(self._piece[start:end], is_sequence=len(self._open) % 2 == 1)

    def _close(self, delimiter: bytes, *, is_sequence: bool) -> None:
        head, encoding = self._open.pop()
        content = b"".join(self._parts.pop())
        order = "little" if encoding.order == "<" else "big"
        if int.from_bytes(head[-4:], order) != UNDEFINED:  # type: ignore[arg-type]
            head = head[:-4] + len(content).to_bytes(4, order)  # type: ignore[arg-type]
        self.put(head + content + delimiter)
        if is_sequence:
            self.path = self.path[:-1]

    def joined(self) -> bytes:
        return b"".join(self._parts[0])
