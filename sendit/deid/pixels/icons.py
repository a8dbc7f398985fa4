"""Pixel Data and waveforms in items, as in the Icon Image Sequence (PS3.3 C.7.6.1.1.6), and spectra; held in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sendit.deid.pixels.image_pixel import IMAGE_PIXEL_TAGS
from sendit.deid.pixels.signals import SIGNAL_TAGS, SIGNALS
from sendit.deid.stream.elements import Element, elements, items
from sendit.deid.stream.encodings import Encoding, encoding_inside
from sendit.deid.stream.heads import FLAT
from sendit.deid.stream.sources import Bulk
from sendit.deid.stream.tags import PIXEL_DATA_TAGS

_SIZES = IMAGE_PIXEL_TAGS | SIGNAL_TAGS

PictureOf = Callable[[Bulk, Mapping[int, bytes], Encoding], Bulk]
"""Makes the element of what is picture, from one in memory, its dataset's Image Pixel Module and its encoding."""


def with_pictures(
    buf: bytes,
    begin: int,
    end: int,
    encoding: Encoding,
    picture_of: PictureOf,
    depth: int = 0,
    before: Mapping[int, bytes] = MappingProxyType({}),
) -> bytes | None:
    """The elements of a dataset with those in its sequences treated; None where nothing changes.

    `before` is the values that tell sizes, of what stands before these elements.
    """
    out, copied, last, values = b"", begin, begin, dict(before)
    for element in elements(buf, begin, end, FLAT[encoding], depth):
        tag, vr, _, start, value, last, _ = element
        new = None
        if tag in _SIZES:
            values[tag] = buf[value:last]
        elif (depth and tag in PIXEL_DATA_TAGS) or tag in SIGNALS:
            held = Bulk(tag, buf[start:value], 0, last - value, (buf[value:last],))
            made = picture_of(held, values, encoding)
            new = made.head + b"".join(part for part in made.parts if isinstance(part, bytes))
        elif vr == "SQ":
            new = _sequence(buf, element, picture_of, depth)
        if new is not None and new != buf[start:last]:
            out, copied = out + buf[copied:start] + new, last
    return None if copied == begin else out + buf[copied:last]


def _sequence(buf: bytes, element: Element, picture_of: PictureOf, depth: int) -> bytes | None:
    """The sequence with its items treated, in defined length; None where nothing changes."""
    tag, _, written, _, value, after, encoding = element
    inner, found = encoding_inside(written, encoding), list[bytes | None]()
    bounds = list(items(buf, value, after, inner, depth + 1))
    for begin, end in bounds:
        found.append(with_pictures(buf, begin, end, inner, picture_of, depth + 1))
    if found.count(None) == len(found):
        return None
    content = b"".join(
        inner.item(_content(buf, begin, end, inner, depth) if new is None else new)
        for (begin, end), new in zip(bounds, found, strict=True)
    )
    return encoding.write(tag, written or "SQ", content)


def _content(buf: bytes, begin: int, end: int, encoding: Encoding, depth: int) -> bytes:
    """The elements of an item without its delimiter."""
    last = begin
    for element in elements(buf, begin, end, FLAT[encoding], depth + 1):
        last = element[5]
    return buf[begin:last]
