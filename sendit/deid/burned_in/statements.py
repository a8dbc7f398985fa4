"""What an output says of its pixels once they were looked at (PS3.15 E.3.1), put into its rewritten header."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sendit.deid.recipe.profile import CLEAN_PIXEL_DATA, METHODS
from sendit.deid.standard.codes import write_items
from sendit.deid.stream.elements import elements
from sendit.deid.stream.encodings import Encoding
from sendit.deid.stream.heads import FLAT
from sendit.deid.stream.sources import Bulk

IMAGE_TYPE, DERIVATION_DESCRIPTION = 0x00080008, 0x00082111
METHOD, METHOD_CODES = 0x00120063, 0x00120064
BURNED_IN_ANNOTATION = 0x00280301
DERIVATION = b"Text burned into the pixels was blanked"
MOST_DERIVATION = 1024

Pieces = list[bytes | Bulk]
Change = Callable[[bytes | None], bytes | None]
"""A value, None where the element is absent, to the one that it becomes; None where nothing changes."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What becomes of one element; `vr` is the one that it is written in."""

    vr: str
    change: Change


def stated(pieces: Pieces, encoding: Encoding, *, is_changed: bool, is_claimed: bool) -> Pieces:
    """Return the pieces of a dataset with what is to be said of its pixels.

    Parameters
    ----------
    pieces : list of bytes or Bulk
    encoding : Encoding
    is_changed : bool
        Whether pixels were blanked, and the image so is derived.
    is_claimed : bool
        Whether outputs name the profile that they are made by.
    """
    statements = {BURNED_IN_ANNOTATION: Statement("CS", lambda _: b"NO")}
    if is_claimed:
        statements[METHOD] = Statement("LO", _with_method)
        statements[METHOD_CODES] = Statement("SQ", lambda value: _with_code(value, encoding))
    if is_changed:
        statements[IMAGE_TYPE] = Statement("CS", _derived)
        statements[DERIVATION_DESCRIPTION] = Statement("ST", _with_derivation)
    return _changed(pieces, encoding, statements)


def _with_method(value: bytes | None) -> bytes | None:
    return None if value is None else _even(value.rstrip(b" ") + b"\\" + METHODS[CLEAN_PIXEL_DATA].meaning.encode())


def _with_code(value: bytes | None, encoding: Encoding) -> bytes | None:
    return None if value is None else value + write_items((METHODS[CLEAN_PIXEL_DATA],), encoding)


def _derived(value: bytes | None) -> bytes | None:
    if value is None or b"\\" not in value:
        return None
    return _even(b"DERIVED" + value[value.index(b"\\") :].rstrip(b" "))


def _with_derivation(value: bytes | None) -> bytes | None:
    before = (value or b"").rstrip(b" \0")
    together = b"; ".join(filter(None, (before, DERIVATION)))
    return _even(together if len(together) <= MOST_DERIVATION else DERIVATION)


def _even(value: bytes) -> bytes:
    return value + b" " * (len(value) % 2)


def _changed(pieces: Pieces, encoding: Encoding, statements: Mapping[int, Statement]) -> Pieces:
    """The pieces with elements written, added, or as they were."""
    waiting, found = sorted(statements), Pieces()
    for piece in pieces:
        if isinstance(piece, Bulk):
            found += _added(waiting, piece.tag, encoding, statements)
            found.append(piece)
        else:
            found += _piece(piece, waiting, encoding, statements)
    found += _added(waiting, 1 << 32, encoding, statements)
    return [piece for piece in found if piece]


def _piece(piece: bytes, waiting: list[int], encoding: Encoding, statements: Mapping[int, Statement]) -> Pieces:
    found, copied = Pieces(), 0
    for tag, _, written, start, value, end, _ in elements(piece, 0, len(piece), FLAT[encoding]):
        added = _added(waiting, tag, encoding, statements)
        if added:
            found += [piece[copied:start], *added]
            copied = start
        if waiting and waiting[0] == tag:
            waiting.pop(0)
            new = statements[tag].change(piece[value:end])
            if new is not None:
                found += [piece[copied:start], encoding.write(tag, written or statements[tag].vr, new)]
                copied = end
    return [*found, piece[copied:]]


def _added(waiting: list[int], before: int, encoding: Encoding, statements: Mapping[int, Statement]) -> Pieces:
    """The elements that are absent and stand before a tag."""
    found = Pieces()
    while waiting and waiting[0] < before:
        tag = waiting.pop(0)
        value = statements[tag].change(None)
        if value is not None:
            found.append(encoding.write(tag, statements[tag].vr, value))
    return found
