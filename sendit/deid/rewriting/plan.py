"""A recipe bound to one patient-study: what becomes of each element, compiled once and looked up by its encoded key."""

# A `DatasetPlan` is the plan for one place in a file: the root, or the items of one sequence. Plans form a tree like
# the sequences that were met, each node with variants for other character sets and for kinds of content items. All
# images of a study share it, so the first image pays for compiling and the others look up.
#
# Hostile files make ever new keys, places and character sets. The study counts what all its plans remember; beyond
# `Study.MOST` nothing more is remembered until the next image begins a new tree.

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from sendit.deid.recipe.rules import Action, Addition
from sendit.deid.rewriting.action_chain import ActionChain
from sendit.deid.rewriting.actions import ActionKind, ElementAction
from sendit.deid.rewriting.compiling import action_of, compiled
from sendit.deid.rewriting.place import DatasetPlace
from sendit.deid.rewriting.shared_runs import RunMemory
from sendit.deid.rewriting.study import BoundRecipe
from sendit.deid.standard.attribute_types import types
from sendit.deid.standard.content import MEASURED_VALUE, Concept, concept_of, is_in_years
from sendit.deid.stream import values
from sendit.deid.stream.encodings import Encoding
from sendit.deid.stream.part_ten import PartTen
from sendit.deid.stream.values import Charset

NO_TAG = 1 << 32
"""Above every tag."""


class Actions(dict[bytes, "tuple[int, ElementAction | None]"]):
    """Maps a key to its tag and action; the action is None for an element in short form that no rule touches."""

    __slots__ = ("plan",)

    def __init__(self, plan: DatasetPlan) -> None:
        self.plan = plan

    def __missing__(self, key: bytes) -> tuple[int, ElementAction | None]:
        result = compiled(self.plan, key)
        if self.plan.study.remembers():
            self[key] = result
        return result


class AddedElement:
    """An element that a rule adds where it is absent. It is encoded when it is first needed."""

    __slots__ = ("_encode", "_encoded", "action", "tag")

    def __init__(self, tag: int, encode: Callable[[], bytes | None]) -> None:
        self.tag, self._encode = tag, encode
        self._encoded: bytes | None = None
        self.action = ElementAction(ActionKind.VALUE, tag, "", long=False)
        self.action.action = str(Action.ADD)

    @property
    def encoded(self) -> bytes:
        """The element; empty where the rules that follow remove it again."""
        if self._encoded is None:
            self._encoded = self._encode() or b""
        return self._encoded


class DatasetPlan(DatasetPlace):
    """What is done to the elements of a dataset at one place.

    Attributes
    ----------
    actions : Actions
        The tag and the action of each encoded key.
    head : callable
        Reads an element's key and length.
    memory : RunMemory, optional
        Of the root: what the images share.
    cleans : bool
        Whether the dataset is an item of a sequence that is cleaned.
    """

    __slots__ = ("_additions", "_charsets", "_children", "_concepts", "_private", "actions", "cleans", "head", "memory")

    def __init__(
        self,
        study: BoundRecipe,
        path: tuple[int, ...],
        indices: tuple[int, ...],
        encoding: Encoding,
        encodings: Charset,
        sop_class_uid: str = "",
    ) -> None:
        super().__init__(study, path, indices, encoding, encodings, sop_class_uid)
        self.head = encoding.head
        self.actions = Actions(self)
        self._children: dict[tuple[int, int | None, Encoding], DatasetPlan] = {}
        self._charsets: dict[bytes, DatasetPlan] = {}
        self._private: dict[tuple[int, str, str | None], ElementAction | None] = {}
        self._additions: list[AddedElement] | None = None
        self._concepts: dict[Concept | None, DatasetPlan] = {}
        self.memory: RunMemory[DatasetPlan] | None = None
        self.cleans = False

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
        decision = self.decide(tag, "SQ", None)
        return not decision.kept and decision.rule is not None and decision.rule.action is Action.CLEAN

    def of_item(self, buf: bytes, begin: int, end: int) -> DatasetPlan:
        """This plan for a content item whose elements begin at `begin`: its concept decides about its value."""
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

    def private(self, tag: int, vr: str, long: bool, creator: str | None) -> ElementAction | None:
        """What is done to a private element, by its Private Creator."""
        key = (tag, vr, creator)
        if key in self._private:
            return self._private[key]
        found = action_of(self, tag, vr, long, creator)
        if self.study.remembers():
            self._private[key] = found
        return found

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


@lru_cache(maxsize=256)
def _known_class(encoded_uid: bytes) -> str:
    """The SOP Class UID if the Types of its attributes are known, else an empty string."""
    uid = encoded_uid.rstrip(b" \0").decode("ascii", "replace")
    return uid if uid in types().roots else ""


class StudyPlan:
    """The plans for the images of one patient-study: of each encoding and SOP class, the tree of its root."""

    __slots__ = ("_roots", "study")

    def __init__(self, study: BoundRecipe) -> None:
        self.study = study
        self._roots: dict[tuple[Encoding, str], DatasetPlan] = {}

    def root_of(self, part_ten: PartTen) -> DatasetPlan:
        """The plan for an opened file's dataset."""
        sop_class_uid = _known_class(part_ten.encoded_sop_class_uid) if self.study.uses_classes else ""
        return self.root(part_ten.encoding, sop_class_uid)

    def root(self, encoding: Encoding, sop_class_uid: str = "") -> DatasetPlan:
        """The plan for a file's dataset; a SOP class whose attributes' Types are known has its own."""
        if self.study.is_full:
            self._roots.clear()
            self.study.forget()
        plan = self._roots.get((encoding, sop_class_uid))
        if plan is None:
            plan = DatasetPlan(self.study, (), (), encoding, values.DEFAULT_CHARSET, sop_class_uid)
            self._roots[encoding, sop_class_uid] = plan
            plan.memory = None if self.study.recipe.calls else RunMemory()
        return plan
