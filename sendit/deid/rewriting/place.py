"""One dataset's place in a file: the root or the items of a sequence, with the encoding and the character set."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sendit.deid.recipe.rules import Decision
from sendit.deid.rewriting.actions import ActionKind, ElementAction, ImageAtHand, ValueCache
from sendit.deid.rewriting.study import BoundRecipe
from sendit.deid.standard.content import Concept
from sendit.deid.stream import values
from sendit.deid.stream.encodings import Encoding
from sendit.deid.stream.values import Charset


class ElementKey(NamedTuple):
    """What elements have in common that one action is for.

    Attributes
    ----------
    tag : int
    vr : str
        The VR that rules and values go by.
    written_vr : str
        The VR as it is written; empty in Implicit VR.
    long : bool
        Whether the length has 32 bits behind two reserved bytes (PS3.5 7.1.2).
    """

    tag: int
    vr: str
    written_vr: str
    long: bool

    def action(self, kind: ActionKind) -> ElementAction:
        """An action that needs no value."""
        return ElementAction(kind, self.tag, self.vr, self.long)

    def by_value(self, compute: Callable[[bytes], bytes | None] | ValueCache) -> ElementAction:
        """An action that the value decides about: `compute` returns the element, None for no change, b"" for none."""
        cache = compute if isinstance(compute, ValueCache) else ValueCache(compute)
        return ElementAction(ActionKind.VALUE, self.tag, self.vr, self.long, cache=cache)

    def call(self, function: Callable[[bytes, ImageAtHand], bytes | None]) -> ElementAction:
        """An action that a function of the recipe decides about."""
        return ElementAction(ActionKind.CALL, self.tag, self.vr, self.long, call=function)

    def sequence(self) -> ElementAction:
        """The rewriting of a sequence's items."""
        return ElementAction(ActionKind.SEQUENCE, self.tag, self.written_vr or "SQ", self.long)


class DatasetPlace:
    """Where a dataset stands, and how its elements are written there.

    Attributes
    ----------
    study : Study
    path, indices : tuple of int
        The tags of the sequences around it, and its item numbers where the recipe tells items apart.
    encoding : Encoding
    encodings : Charset
        The character set.
    sop_class_uid : str
        The file's SOP class, where the Types of its attributes are known.
    concept : Concept, optional
        What the dataset is as a content item.
    """

    __slots__ = ("_decisions", "concept", "encoding", "encodings", "indices", "path", "sop_class_uid", "study")

    def __init__(
        self,
        study: BoundRecipe,
        path: tuple[int, ...],
        indices: tuple[int, ...],
        encoding: Encoding,
        encodings: Charset,
        sop_class_uid: str = "",
    ) -> None:
        self.study, self.path, self.indices, self.sop_class_uid = study, path, indices, sop_class_uid
        self.encoding, self.encodings = encoding, encodings
        self.concept: Concept | None = None
        self._decisions = study.recipe.decisions_at(path, indices, sop_class_uid)

    def decide(self, tag: int, vr: str, creator: str | None) -> Decision:
        """What the recipe's rules do to an element here."""
        return self._decisions[tag, vr, creator]

    def element(self, tag: int, vr: str, text: str) -> bytes:
        """An encoded element with a value given as text."""
        return self.encoding.write(tag, vr, values.encode(text, vr, self.encoding.order, self.encodings, tag))
