"""Element streams made by hand, byte by byte: what pydicom would not write, and what must not come out of it.

Independent of `sendit.deid.stream`, so that the two check each other.
"""

from __future__ import annotations

import io
import struct
import traceback
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataelem import DataElement, RawDataElement

from sendit.deid import Deidentifier, Identifier, Pseudonyms
from sendit.deid.recipe.recipe import parse_recipe
from sendit.errors import CODES, SenditError
from tests.support.phantoms import FILES, leaks_in

KEY = b"a key that only tests have"
VARIABLES: Mapping[str, Any] = {"entity_id": "p1", "item_id": "s1", "jitter": 5}
LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True)
class Syntax:
    """A transfer syntax that elements are written in."""

    uid: str
    implicit: bool = False
    order: str = "<"

    def mark(self, element: int, size: int) -> bytes:
        """An item's or delimiter's tag and length."""
        return struct.pack(self.order + "HHI", 0xFFFE, element, size)

    def element(self, tag: int, vr: str, value: bytes = b"", size: int | None = None) -> bytes:
        """One element; `size` is the length that it says it has."""
        size = len(value) if size is None else size
        start = struct.pack(self.order + "HH", tag >> 16, tag & 0xFFFF)
        if self.implicit:
            return start + struct.pack("<I", size) + value
        if vr in LONG:
            return start + vr.encode() + struct.pack(self.order + "HI", 0, size) + value
        return start + vr.encode() + struct.pack(self.order + "H", size) + value

    def item(self, content: bytes, *, delimited: bool = False) -> bytes:
        """One item, in defined or undefined length."""
        if delimited:
            return self.mark(0xE000, UNDEFINED) + content + self.mark(0xE00D, 0)
        return self.mark(0xE000, len(content)) + content

    def sequence(
        self,
        tag: int,
        items: Iterable[bytes],
        *,
        delimited: bool = False,
        items_delimited: bool = False,
        vr: str = "SQ",
    ) -> bytes:
        """A sequence of the items' contents, each in defined or undefined length; of VR UN its items are implicit."""
        inner = IMPLICIT if vr == "UN" else self
        value = b"".join(inner.item(item, delimited=items_delimited) for item in items)
        if delimited:
            return self.element(tag, vr, value + inner.mark(0xE0DD, 0), UNDEFINED)
        return self.element(tag, vr, value)


IMPLICIT = Syntax("1.2.840.10008.1.2", implicit=True)
EXPLICIT = Syntax("1.2.840.10008.1.2.1")
BIG = Syntax("1.2.840.10008.1.2.2", order=">")
SYNTAXES = (IMPLICIT, EXPLICIT, BIG)
BY_NAME = {"implicit": IMPLICIT, "explicit": EXPLICIT, "big": BIG}


def even(text: str | bytes, pad: bytes = b" ") -> bytes:
    """Padded to even length."""
    raw = text.encode("latin-1") if isinstance(text, str) else text
    return raw + pad * (len(raw) % 2)


def part10(dataset: bytes, uid: str | Syntax = EXPLICIT, *, preamble: bytes = bytes(128), more: bytes = b"") -> bytes:
    """A Part 10 file; `more` are further elements of its File Meta Information, below (0002,0010)."""
    uid = uid.uid if isinstance(uid, Syntax) else uid
    meta = more + EXPLICIT.element(0x00020010, "UI", even(uid, b"\0"))
    return preamble + b"DICM" + EXPLICIT.element(0x00020000, "UL", struct.pack("<I", len(meta))) + meta + dataset


def split_part10(data: bytes) -> tuple[dict[int, bytes], bytes]:
    """The File Meta Information's values by tag, and the dataset's bytes."""
    assert data[128:132] == b"DICM"
    meta, pos = {}, 132
    while data[pos : pos + 2] == b"\2\0":
        element, vr, size = struct.unpack_from("<H2sH", data, pos + 2)
        begin = pos + 8
        if vr.decode() in LONG:
            (size,) = struct.unpack_from("<I", data, begin)
            begin += 4
        meta[0x00020000 | element] = data[begin : begin + size]
        pos = begin + size
    return meta, data[pos:]


# ------------------------------------------------------------------------------------------------- de-identifying


def deidentifier(rules: str = "", residuals: Iterable[Identifier] = (), **variables: Any) -> Deidentifier:
    """A Deidentifier with these %header lines; with sections of their own where the text begins with one."""
    text = rules if rules.lstrip().startswith("%") else f"%header\n{rules}"
    return Deidentifier(parse_recipe(f"FORMAT dicom\n{text}"), Pseudonyms(KEY), {**VARIABLES, **variables}, residuals)


def deidentified(data: bytes | Path, rules: str = "", residuals: Iterable[Identifier] = (), **variables: Any) -> bytes:
    """The whole output."""
    return deidentifier(rules, residuals, **variables).deidentify(data).tobytes()


def dataset_of(data: bytes | Path, rules: str = "", **variables: Any) -> bytes:
    """The bytes of the output's dataset."""
    return split_part10(deidentified(data, rules, **variables))[1]


@contextmanager
def refused(code: str, tag: int | None = None) -> Iterator[None]:
    """What is within ends as this error; nothing that a person or a log would see of it holds a planted identifier."""
    with pytest.raises(SenditError) as caught:
        yield
    error = caught.value
    assert (type(error).kind, error.code) == (CODES[code].kind, code)
    if tag is not None:
        assert error.tag == tag
    shown = "".join(traceback.format_exception(error)) + repr(error) + str(error) + repr(error.args)
    assert leaks_in(shown) == []


# ------------------------------------------------------------------------------------------------- reading


def bundled_files() -> list[Path]:
    """Every file that the pydicom wheel brings along, DICOM or not."""
    folders = (FILES, FILES.parent / "charset_files")
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())


def read(data: bytes | Path) -> Dataset:
    """As pydicom reads it, without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dcmread(io.BytesIO(data) if isinstance(data, bytes) else data, force=True)


def differences(before: Dataset, after: Dataset, spared: Iterable[int] = ()) -> list[str]:
    """What is not the same in two datasets, to any depth; group lengths and trailing padding, which sendit drops, and
    the `spared` tags left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(_differences(before, after, {*spared, 0xFFFCFFFC}, ""))


def _differences(before: Dataset, after: Dataset, spared: set[int], path: str) -> Iterator[str]:
    for tag in sorted({*before.keys(), *after.keys()}):
        if tag in spared or tag.element == 0:
            continue
        if tag not in before or tag not in after:
            if not _is_idle_creator(before, tag):
                yield f"{path}{tag} is only {'before' if tag in before else 'after'}"
            continue
        first, second = before.get_item(tag), after.get_item(tag)
        if _is_sequence(before, first) or _is_sequence(after, second):
            items, others = before[tag].value, after[tag].value
            if len(items) != len(others):
                yield f"{path}{tag} has {len(others)} items, not {len(items)}"
            for number, (item, other) in enumerate(zip(items, others, strict=False)):
                yield from _differences(item, other, spared, f"{path}{tag}[{number}]")
        elif (first.VR, _raw(first)) != (second.VR, _raw(second)):
            yield f"{path}{tag} differs"


def _is_sequence(ds: Dataset, element: DataElement | RawDataElement) -> bool:
    if element.VR in ("SQ", None, "UN"):
        try:
            return ds[element.tag].VR == "SQ"
        except Exception:  # noqa: BLE001 - pydicom cannot convert it: it is compared as bytes
            return False
    return False


def _raw(element: DataElement | RawDataElement) -> object:
    return element.value if isinstance(element.value, bytes | None) else repr(element.value)


def _is_idle_creator(ds: Dataset, tag: Any) -> bool:
    """A Private Creator without an element of its block, which sendit drops."""
    if not (tag.is_private and 0x10 <= tag.element <= 0xFF):
        return False
    others = list(ds.keys())
    return not any(other.group == tag.group and other.element >> 8 == tag.element for other in others)
