"""Proof on the output's bytes: it re-reads, in order, and none of the patient's identifiers is in it.

What was proven of a run of elements is remembered: most of a study's bytes are the same in every image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from sendit.deid.budget import COMPARED, SEARCHED, VALUE, Budget
from sendit.deid.identifiers.identifiers import Identifier
from sendit.deid.identifiers.residuals import (
    LONG,
    MARGIN,
    SHORT,
    IdentifierForm,
    may_stand_in,
    needles,
    occurs,
    places,
    plain,
    stands_in,
    suspects,
)
from sendit.deid.pixels.image_pixel import ICON_IMAGE_SEQUENCE, IMAGE_PIXEL_TAGS
from sendit.deid.pixels.signals import OF_A_SPECTRUM, SPECTROSCOPY_DATA, WAVEFORM_DATA
from sendit.deid.rewriting.actions import ElementAction
from sendit.deid.rewriting.emptying import Emptier
from sendit.deid.standard.safe_private import holds_only_numbers
from sendit.deid.stream.elements import elements
from sendit.deid.stream.encodings import Encoding
from sendit.deid.stream.heads import DEEP
from sendit.deid.stream.sources import CHUNK, Bulk, Source
from sendit.deid.stream.tags import PIXEL_DATA_TAGS, SEQUENCE_END, effective_vr
from sendit.errors import BrokenPromise, DataFault

MEMO_ENTRIES, MEMO_PIECE_BYTES, MEMO_BYTES = 8192, 32 * 1024, 16 * 1024 * 1024
SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID = (
    0x00080016,
    0x00080018,
    0x0020000D,
    0x0020000E,
)
PIXEL_DATA = 0x7FE00010
UIDS = frozenset({SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID})
WANTED = IMAGE_PIXEL_TAGS | OF_A_SPECTRUM | UIDS
_WITHIN_ITEMS = PIXEL_DATA_TAGS | {WAVEFORM_DATA}
"""What is cut to its length within sequences."""
SEARCHED_BYTES = 2048
"""The longest part of Pixel Data that is remembered as searched: its tables are alike in all images of a study."""


class Identity(NamedTuple):
    """The encoded UIDs of what an output is and where it belongs; the File Meta repeats the first two.

    `image_pixel` is the encoded values that tell the size of its picture, by tag; an empty one of ICON_IMAGE_SEQUENCE
    says that there is pixel data or a waveform within a sequence, or a spectrum. `bulks` is what is not held in memory.
    """

    sop_class_uid: bytes
    sop_instance_uid: bytes
    study_instance_uid: bytes = b""
    series_instance_uid: bytes = b""
    image_pixel: Mapping[int, bytes] = MappingProxyType({})
    bulks: Sequence[Bulk] = ()

    def ensure_whole(self) -> None:
        """MissingUID, with its tag, where an image does not say which one it is, or of which study and series."""
        wanted = {
            SOP_INSTANCE_UID: self.sop_instance_uid,
            STUDY_INSTANCE_UID: self.study_instance_uid,
            SERIES_INSTANCE_UID: self.series_instance_uid,
        }
        for tag, uid in wanted.items():
            if not uid.strip(b" \0"):
                raise DataFault("MissingUID", tag=tag)


Proven = tuple[int, int, Mapping[int, bytes], Mapping[int, bytes]]
"""What was found in one run of elements: first and last tag, and the UIDs and Image Pixel Module of an Identity."""


class Verifier:
    """Checks the outputs of one patient-study.

    Parameters
    ----------
    residuals : sequence of Identifier
        What must not remain.
    emptier : Emptier, optional
        Takes values out in which something remains; without it, that is a fault at once.
    budget : Budget, optional
        What is left for the image at hand.
    """

    __slots__ = ("_budget", "_emptied", "_emptier", "_needles", "_proven", "_proven_bytes", "_searched")

    def __init__(
        self, residuals: Sequence[Identifier], emptier: Emptier | None = None, budget: Budget | None = None
    ) -> None:
        self._needles, self._emptier = needles(residuals), emptier
        self._budget = Budget() if budget is None else budget
        self._emptied: dict[tuple[Encoding, bytes, str], tuple[bytes, tuple[ElementAction, ...]]] = {}
        self._proven: dict[Encoding, dict[bytes, Proven]] = {}
        self._proven_bytes = 0
        self._searched: set[bytes] = set()

    def check(
        self,
        pieces: list[bytes | Bulk],
        encoding: Encoding,
        source: Source,
        sop_class_uid: str = "",
        done: list[ElementAction] | None = None,
    ) -> Identity:
        """Prove a dataset's pieces; what a Bulk is a range of is in `source`.

        A piece with a value that must not remain is replaced by one without it, and the actions are added to `done`.

        Raises
        ------
        DataFault
            ResidualIdentifier, with the tag; BadSequence and others where a sequence that a KEEP holds is malformed.
        BrokenPromise
            OutputUnreadable.
        """
        known, last = self._proven.setdefault(encoding, {}), -1
        suspected: Sequence[IdentifierForm] | None = None
        wanted: dict[int, bytes] = {}
        image_pixel: Mapping[int, bytes] = {}
        bulks: list[Bulk] = []
        for index, piece in enumerate(pieces):
            if piece.__class__ is Bulk:
                bulks.append(piece)
                first = tag = piece.tag
                if self._needles and tag not in PIXEL_DATA_TAGS and self._stands_in_bulk(piece, encoding, source):
                    pieces[index] = self._empty_bulk(piece, encoding, sop_class_uid, done)
            else:
                proven = known.get(piece)  # type: ignore[arg-type]
                if proven is None:
                    if suspected is None:
                        suspected = self._suspects(pieces, known)
                    proven, remaining = self._prove(piece, encoding, suspected)  # type: ignore[arg-type]
                    if remaining:
                        piece, proven = self._settle(piece, encoding, suspected, sop_class_uid, done)  # type: ignore[arg-type]
                        pieces[index] = piece
                    self._remember(known, piece, proven)  # type: ignore[arg-type]
                first, tag, uids, found = proven
                if uids:
                    wanted.update(uids)
                if found:
                    image_pixel = {**image_pixel, **found} if image_pixel else found
            if first <= last:
                raise BrokenPromise("OutputUnreadable", tag=first)
            last = tag
        uid = wanted.get
        sop_class, instance = uid(SOP_CLASS_UID, b""), uid(SOP_INSTANCE_UID, b"")
        study, series = uid(STUDY_INSTANCE_UID, b""), uid(SERIES_INSTANCE_UID, b"")
        return Identity(sop_class, instance, study, series, image_pixel, bulks)

    def search(self, data: bytes, vr: str) -> None:
        """Look for identifiers in a part of Pixel Data, whose bytes are read as of that VR.

        Raises
        ------
        DataFault
            ResidualIdentifier.
        """
        key = vr.encode() + data
        if not self._needles or key in self._searched:
            return
        wanted = [needle for needle in suspects(self._needles, data) if may_stand_in(needle, vr)]
        text = plain(data) if wanted else b""
        if any(occurs(needle, text, 0, len(text)) for needle in wanted):
            raise DataFault("ResidualIdentifier", tag=PIXEL_DATA)
        if len(key) <= SEARCHED_BYTES:
            if len(self._searched) >= MEMO_ENTRIES:
                self._searched.clear()
            self._searched.add(key)

    def _remember(self, known: dict[bytes, Proven], piece: bytes, proven: Proven) -> None:
        if len(piece) <= MEMO_PIECE_BYTES:
            self._proven_bytes += len(piece)
            if self._proven_bytes > MEMO_BYTES or len(known) >= MEMO_ENTRIES:
                known.clear()
                self._proven_bytes = len(piece)
            known[piece] = proven

    def _suspects(self, pieces: Sequence[bytes | Bulk], known: Mapping[bytes, Proven]) -> Sequence[IdentifierForm]:
        """What may stand in the pieces that are not proven yet: they are looked through at once."""
        unknown: list[bytes] = [piece for piece in pieces if piece.__class__ is not Bulk and piece not in known]  # type: ignore[misc]
        size = sum(map(len, unknown))
        self._budget.spend(size * len(self._needles.groups) // SEARCHED)
        if size <= LONG:
            return suspects(self._needles, b"\0".join(unknown))
        return list(dict.fromkeys(needle for piece in unknown for needle in suspects(self._needles, piece)))

    def _settle(
        self,
        piece: bytes,
        encoding: Encoding,
        suspected: Sequence[IdentifierForm],
        sop_class_uid: str,
        done: list[ElementAction] | None,
    ) -> tuple[bytes, Proven]:
        """A run of elements without the values in which something remains, and what was found in it."""
        assert self._emptier is not None
        key = encoding, piece, sop_class_uid
        new, actions = self._emptied.get(key, (piece, ()))
        proven, found = self._prove(new, encoding, suspected)
        if found:
            new, actions = self._emptier.without(piece, encoding, found, sop_class_uid)
            proven, found = self._prove(new, encoding, suspected)
            if found and self._emptier.without(new, encoding, found, sop_class_uid)[1]:
                raise DataFault("ResidualIdentifier", tag=proven[0])
            if len(self._emptied) >= MEMO_ENTRIES:
                self._emptied.clear()
            if len(piece) <= MEMO_PIECE_BYTES:
                self._emptied[key] = new, actions
        if done is not None:
            done.extend(actions)
        return new, proven

    def _prove(self, piece: bytes, encoding: Encoding, suspected: Sequence[IdentifierForm]) -> tuple[Proven, list[int]]:
        """What is in a run of elements, and where those begin in which something remains."""
        first, last, depth = -1, -1, 0
        near = places(suspected, piece) if suspected else None
        wanted: dict[int, bytes] = {}
        found: list[int] = []
        try:
            for tag, vr, _, start, begin, end, _ in elements(piece, 0, len(piece), DEEP[encoding]):
                if depth:
                    if not vr:
                        depth -= tag == SEQUENCE_END
                    elif end < 0:
                        depth += 1
                    elif tag in _WITHIN_ITEMS and ICON_IMAGE_SEQUENCE not in wanted:
                        wanted[ICON_IMAGE_SEQUENCE] = b""
                    if (
                        vr
                        and end >= 0
                        and suspected
                        and (not near or near.meet(begin, end))
                        and self._remains(piece[begin:end], tag, vr, suspected)
                    ):
                        found.append(self._found(start, tag))
                    continue
                if tag <= last:
                    raise BrokenPromise("OutputUnreadable", tag=tag)
                if end < 0:
                    depth = 1
                elif suspected and tag not in PIXEL_DATA_TAGS and self._remains(piece[begin:end], tag, vr, suspected):
                    found.append(self._found(start, tag))
                if tag in WANTED:
                    wanted[tag] = piece[begin:end]
                elif tag == SPECTROSCOPY_DATA:
                    wanted[ICON_IMAGE_SEQUENCE] = b""
                if first < 0:
                    first = tag
                last = tag
        except DataFault as fault:
            if depth or fault.code == "ResidualIdentifier":
                raise
            raise BrokenPromise("OutputUnreadable", tag=fault.tag) from None  # what is in a sequence may be the file's
        uids = {tag: wanted.pop(tag) for tag in UIDS & wanted.keys()} if wanted else {}
        return (first, last, uids, wanted), found

    def _remains(self, value: bytes, tag: int, vr: str, suspected: Sequence[IdentifierForm]) -> bool:
        self._budget.spend(len(suspected) * COMPARED)
        return remains(value, tag, vr, suspected)

    def _found(self, start: int, tag: int) -> int:
        self._budget.spend(VALUE)
        if self._emptier is None:
            raise DataFault("ResidualIdentifier", tag=tag)
        return start

    def _empty_bulk(
        self, bulk: Bulk, encoding: Encoding, sop_class_uid: str, done: list[ElementAction] | None
    ) -> bytes:
        if self._emptier is None:
            raise DataFault("ResidualIdentifier", tag=bulk.tag)
        vr = effective_vr(bulk.tag, "" if encoding.implicit else bulk.head[4:6].decode("latin-1"))
        element, action = self._emptier.bulk(bulk, vr, encoding, sop_class_uid)
        if done is not None:
            done.append(action)
        return element

    def _stands_in_bulk(self, bulk: Bulk, encoding: Encoding, source: Source) -> bool:
        """Whether an identifier is in a value that is not held in memory; looked for in overlapping windows."""
        vr = effective_vr(bulk.tag, "" if encoding.implicit else bulk.head[4:6].decode("latin-1"))
        wanted = [needle for needle in self._needles if may_stand_in(needle, vr)]
        overlap = 2 * MARGIN + max((len(needle.form) for needle in wanted), default=0)
        offset, end, held = bulk.offset, bulk.offset + bulk.length, b""
        while offset < end:
            chunk = source.read(offset, min(CHUNK, end - offset))
            if not chunk:
                raise DataFault("Truncated", tag=bulk.tag)
            window, offset = held + chunk, offset + len(chunk)
            text = plain(window)
            begin, stop = MARGIN if held else 0, len(text) - (MARGIN if offset < end else 0)
            if any(occurs(needle, text, begin, stop) for needle in wanted):
                return True
            held = window[-overlap:]
        return False


def remains(value: bytes, tag: int, vr: str, suspected: Iterable[IdentifierForm]) -> bool:
    """Whether one of the identifiers stands in a value."""
    found = [needle for needle in suspected if stands_in(needle, value, tag, vr)]
    return bool(found) and not (all(len(needle.form) < SHORT for needle in found) and holds_only_numbers(tag, value))
