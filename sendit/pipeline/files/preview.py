"""One file's elements before and after, with the rule that decided each: identifiers, for whoever asked alone."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from pydicom import Dataset, config, dcmread
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import FileDataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

from sendit.deid.recipe.addresses import Field, element_name, keyword_of
from sendit.deid.recipe.recipe import Recipe
from sendit.deid.recipe.rules import Decision, Rule
from sendit.deid.recipe.screen import Verdict, screen
from sendit.deid.rewriting.actions import EMPTIED, REPAIR, ElementAction
from sendit.deid.rewriting.shared_runs import each_action
from sendit.deid.rewriting.withheld import Withheld
from sendit.deid.stream.header import read_header
from sendit.deid.stream.tags import PIXEL_DATA_TAGS, TRAILING_PADDING, effective_vr
from sendit.errors import DataFault, SenditError
from sendit.ground.terminal import counted
from sendit.pipeline.files.deid_files import Deidentification
from sendit.pipeline.intake.folders import WITHHELD_DICOMDIR
from sendit.pipeline.stages.identity import MEDIA_STORAGE_DIRECTORY
from sendit.pipeline.stages.report_page import WORDS

LONG_BYTES, SHORT_BYTES = 4096, 16
"""Longer values are not read, and longer ones without text not shown, but told by their length."""

LONG_TEXT = 200
UNDEFINED = 0xFFFFFFFF
BLANK = "(blank)"
BLANKED = "sendit: pixels were blanked, and encoded again"
NOT_OF_ITS_FORM = "sendit: the value is not what the attribute holds"
REWRITTEN = "sendit: rewritten with the numbers and defined terms that converters read"
NOTES = {
    EMPTIED: "sendit: an identifier was found in the value",
}

SAID = ("PIXELS_", REPAIR)
"""What the actions begin with that drop what is no picture, or repair what could not be read."""

Notes = Mapping[tuple[int, ...], str]
"""What sendit did beside the rules, by the tags of an element, the enclosing sequences' first."""


class Change(StrEnum):
    """What happened to an element."""

    SAME = " "
    CHANGED = "~"
    REMOVED = "-"
    ADDED = "+"


@dataclass(frozen=True, slots=True, repr=False)
class PreviewRow:
    """One element, or the beginning of a sequence's item, `depth` sequences deep."""

    depth: int
    mark: Change
    tag: str
    vr: str
    name: str
    before: str
    after: str
    rule: str


@dataclass(frozen=True, slots=True, repr=False)
class Preview:
    """What would become of a file; `fault` says why nothing, and there is no `after` then."""

    verdict: Verdict
    fault: SenditError | None
    rows: list[PreviewRow]


def preview(path: Path, how: Deidentification) -> Preview:
    """Look at one file.

    Raises
    ------
    DataFault
        It cannot be read at all.
    Misconfigured, ServiceDown, ServiceRefused
        There is no answer to look at.
    """
    config.settings.reading_validation_mode = config.IGNORE
    header = read_header(path)
    before = dcmread(path, force=True, defer_size=LONG_BYTES)
    if header.sop_class_uid == MEDIA_STORAGE_DIRECTORY:  # no recipe is asked
        return Preview(Verdict(False, WITHHELD_DICOMDIR), None, list(_file(before, None, how.recipe, {})))
    with TemporaryDirectory(prefix="sendit-") as scratch:
        output, fault = Path(scratch) / "after.dcm", None
        notes: Notes = {}
        verdict = screen(header, how.recipe)
        try:
            group = how.group_of(header, path)
            group.learn(header)
            image = how.deidentifier(group).deidentify(path, verdict)
            image.ensure_identified()
            notes = _notes(image.done)
            image.write(output)
        except Withheld as withheld:
            section = verdict.group if withheld.rule == verdict.rule else ""
            verdict = Verdict(False, withheld.rule, section) if verdict.passed else verdict
        except DataFault as error:
            fault = error
        after = dcmread(output, force=True, defer_size=LONG_BYTES) if output.exists() else None
        return Preview(verdict, fault, list(_file(before, after, how.recipe, notes)))


def _notes(done: Iterable[ElementAction]) -> Notes:
    """What is said of elements beside their rules; of pixel data there may be several things to say."""
    found: dict[tuple[int, ...], str] = {}
    for one in sorted(each_action(done), key=lambda one: str(one.action)):
        note = f"sendit: {WORDS[one.action]}" if one.action.startswith(SAID) else NOTES.get(one.action)
        if note:
            place = (*one.path, one.tag)
            found[place] = "; ".join(dict.fromkeys(filter(None, (*found.get(place, "").split("; "), note))))
    return found


def _file(before: FileDataset, after: FileDataset | None, recipe: Recipe, notes: Notes) -> Iterator[PreviewRow]:
    sop_class_uid = str(before.file_meta.get("MediaStorageSOPClassUID", ""))
    yield from Comparison(recipe, instead="written by sendit").rows(
        before.file_meta, after.file_meta if after else None
    )
    yield from Comparison(recipe, sop_class_uid=sop_class_uid, notes=notes).rows(before, after)


class Comparison:
    """Two datasets side by side: a file's, or an item's before and after.

    Parameters
    ----------
    recipe : Recipe
    path, indices : tuple of int
        The enclosing sequences' tags, outermost first, and the items' numbers in them.
    instead : str
        What is said where no rule is asked.
    sop_class_uid : str
        What the file is.
    notes : mapping of tuple of int to str
        What is said of an element beside its rule.
    """

    def __init__(
        self,
        recipe: Recipe,
        path: tuple[int, ...] = (),
        indices: tuple[int, ...] = (),
        instead: str = "",
        sop_class_uid: str = "",
        notes: Notes = MappingProxyType({}),
    ) -> None:
        self._notes = notes
        self._recipe, self._path, self._indices, self._instead = recipe, path, indices, instead
        self._sop_class_uid = sop_class_uid
        place = tuple(zip(path, indices, strict=True))
        self._added = {added.tag: added.steps[-1].rule for added in recipe.additions if added.path == place}

    def rows(self, before: Dataset | None, after: Dataset | None) -> Iterator[PreviewRow]:
        """A row for each element of either, in order of their tags; those of a sequence's items follow it."""
        for tag in sorted(_tags(before) | _tags(after)):
            old, new = _look(before, tag), _look(after, tag)
            yield self._row(int(tag), old, new)
            yield from self._items(int(tag), old, new)

    def _row(self, tag: int, old: Look | None, new: Look | None) -> PreviewRow:
        mark = _mark(old, new)
        if mark is Change.SAME and tag in PIXEL_DATA_TAGS and (*self._path, tag) in self._notes:
            mark = Change.CHANGED  # of the pixel data only its length is shown
        either = old or new
        assert either is not None
        return PreviewRow(
            depth=len(self._path),
            mark=mark,
            tag=f"({tag >> 16:04X},{tag & 0xFFFF:04X})",
            vr=either.vr,
            name=keyword_of(tag) or element_name(tag, either.creator),
            before=old.text if old else "",
            after=("=" if mark is Change.SAME else new.text) if new else "",
            rule=self._instead or self._reason(tag, old, mark),
        )

    def _reason(self, tag: int, old: Look | None, mark: Change) -> str:
        """The rule that decided, or what sendit did where the rule says that the value stays."""
        note = self._notes.get((*self._path, tag))
        if note:
            return note
        decision = None if old is None else self._decision(tag, old)
        rule = self._added.get(tag) if decision is None else decision.rule
        if decision is not None and not decision.steps and mark is not Change.SAME and _has_value(tag):
            return "; ".join(filter(None, (_rule_text(rule), _rewriting(tag, old))))
        return _rule_text(rule) or ("" if mark is Change.SAME else "sendit")

    def _decision(self, tag: int, old: Look) -> Decision:
        indices = self._indices if self._recipe.uses_indices else ()
        vr = effective_vr(tag, old.vr)
        field = Field(self._path, tag, vr, old.creator, indices, sop_class_uid=self._sop_class_uid)
        return self._recipe.decide(field)

    def _items(self, tag: int, old: Look | None, new: Look | None) -> Iterator[PreviewRow]:
        """What is in a sequence that goes is not asked about."""
        instead = self._instead or ("goes with its sequence" if old and old.items and not (new and new.items) else "")
        for index in range(max(len(look.items) if look else 0 for look in (old, new))):
            place = (*self._path, tag), (*self._indices, index)
            inner = Comparison(self._recipe, *place, instead, self._sop_class_uid, self._notes)
            yield PreviewRow(len(self._path) + 1, Change.SAME, "", "", f"item {index + 1}", "", "", "")
            yield from inner.rows(_item(old, index), _item(new, index))


def _rewriting(tag: int, old: Look | None) -> str:
    """What sendit did to a value that no step of a rule has changed."""
    if tag in PIXEL_DATA_TAGS:
        return BLANKED
    return REWRITTEN if old is not None and tag >> 16 & 1 and old.vr in ("OB", "UN") else NOT_OF_ITS_FORM


@dataclass(frozen=True, slots=True, repr=False)
class Look:
    """One element: its value as text, or the items that it has."""

    vr: str
    text: str
    creator: str | None = None
    items: tuple[Dataset, ...] = ()


def _look(ds: Dataset | None, tag: BaseTag) -> Look | None:
    if ds is None or tag not in ds:
        return None
    raw = ds.get_item(tag)
    creator = _creator(ds, tag)
    if isinstance(raw, RawDataElement) and (tag in PIXEL_DATA_TAGS or (raw.value is None and raw.length)):
        return Look(raw.VR or "", "(encapsulated)" if raw.length == UNDEFINED else f"({raw.length:,} bytes)", creator)
    try:
        elem = ds[tag]
        items = tuple(elem.value) if elem.VR == "SQ" else ()
        return Look(elem.VR, counted(len(items), "item") if elem.VR == "SQ" else _text(elem), creator, items)
    except (ValueError, TypeError, LookupError, ArithmeticError, NotImplementedError, struct.error):
        value = getattr(raw, "value", b"")
        return Look(getattr(raw, "VR", "") or "UN", repr(value)[:LONG_TEXT], creator)  # pydicom cannot read it


def _has_value(tag: int) -> bool:
    """Whether the element has a value to compare: group lengths, Private Creators and padding have none."""
    return tag & 0xFFFF > 0xFF * (tag >> 16 & 1) and tag != TRAILING_PADDING


def _tags(ds: Dataset | None) -> set[BaseTag]:
    return set() if ds is None else set(ds.keys())


def _creator(ds: Dataset, tag: BaseTag) -> str | None:
    """The Private Creator of a private element (PS3.5 7.8.1)."""
    if not tag.is_private or tag.elem < 0x1000:
        return None
    creator = ds.get((tag.group, tag.elem >> 8))
    return str(creator.value) if creator is not None else None


def _text(elem: DataElement) -> str:
    if isinstance(elem.value, bytes):
        return repr(elem.value)[2:-1] if len(elem.value) <= SHORT_BYTES else f"({len(elem.value):,} bytes)"
    values = elem.value if isinstance(elem.value, MultiValue | list | tuple) else [elem.value]
    return "\\".join("" if value is None else str(value) for value in values) or BLANK


def _item(look: Look | None, index: int) -> Dataset | None:
    return look.items[index] if look and index < len(look.items) else None


def _mark(old: Look | None, new: Look | None) -> Change:
    if old and new:
        return Change.SAME if old.text == new.text else Change.CHANGED
    return Change.REMOVED if old else Change.ADDED


def _rule_text(rule: Rule | None) -> str:
    return f"{Path(rule.file).name}:{rule.line}  {rule}" if rule else ""
