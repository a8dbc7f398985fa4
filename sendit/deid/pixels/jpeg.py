"""JPEG (ISO 10918-1) and JPEG-LS (ISO 14495-1): the markers of an interchange format, walked."""

from __future__ import annotations

import re

from sendit.deid.pixels.image_pixel import ImagePixel
from sendit.deid.pixels.selection import Codestream, Selection, Spare, bad_pixel_data

SOI = b"\xff\xd8"
EOI, SOS, SOF55, COM = 0xD9, 0xDA, 0xF7, 0xFE
RESTARTS = range(0xD0, 0xD8)
APPLICATIONS = range(0xE0, 0xF0)
TABLES = frozenset({*range(0xC0, 0xC8), *range(0xC9, 0xD0), 0xDB, 0xDC, 0xDD, 0xDE, 0xDF, SOF55, 0xF8})
"""SOFn, DHT, DAC, DQT, DNL, DRI, DHP, EXP, and of JPEG-LS SOF55 and LSE: what decoding needs."""
OTHERS = frozenset({0xC8, *range(0xF0, 0xFF)}) - TABLES
"""JPG, JPGn and COM: segments that no decoder needs."""

_MARKER = re.compile(rb"\xff[\x01-\xfe]")
_JPEG_ENTROPY_ENDS = re.compile(rb"\xff[\x01-\xcf\xd8-\xff]")
_JPEG_LS_ENTROPY_ENDS = re.compile(rb"\xff[\x80-\xcf\xd8-\xff]")
"""In JPEG a zero follows the FF of coded data, in JPEG-LS a bit that is zero; restart markers stand within it."""

_ICC, _ICC_HEADER_BYTES = b"ICC_PROFILE\0", 14


def walk(stream: Codestream, kept: Selection, pixel: ImagePixel | None) -> None:
    """Keep frame headers, tables, scans, and of the application segments those that say what the colours mean."""
    if stream.read(0, 2) != SOI:
        raise bad_pixel_data()
    kept.keep(0, 2)
    pos, walker = 2, _Walker(stream, kept)
    while True:
        at = stream.search(_MARKER, pos)
        if at < 0:
            kept.end(pos)
            if not kept.is_whole:  # the decoder must stop where the marker stood that went
                kept.write(bytes((0xFF, EOI)))
            return
        if stream.read(pos, at - pos).strip(b"\xff"):
            kept.drop(Spare.TAIL)
        marker = stream.number(at + 1, 1)
        if marker == EOI:
            kept.keep(at, at + 2)
            kept.end(at + 2)
            return
        pos = at + 2 if marker in RESTARTS else walker.segment(at, marker)


class _Walker:
    """Decides on one segment after the other; remembers what earlier ones said."""

    __slots__ = ("_entropy_ends", "_has_profile", "_kept", "_stream")

    def __init__(self, stream: Codestream, kept: Selection) -> None:
        self._stream, self._kept = stream, kept
        self._entropy_ends, self._has_profile = _JPEG_ENTROPY_ENDS, False

    def segment(self, at: int, marker: int) -> int:
        """Keep or drop the segment at `at`, and with a scan's header the scan; where it ends."""
        end = at + 2 + self._stream.number(at + 2, 2)
        if end < at + 4 or end > self._stream.size:
            raise bad_pixel_data()
        if marker == SOS:
            self._kept.keep_table(at, end)
            return self._scan(end)
        if marker in TABLES:
            if marker == SOF55:
                self._entropy_ends = _JPEG_LS_ENTROPY_ENDS
            self._kept.keep_table(at, end)
        elif marker in APPLICATIONS:
            self._application(at, end, marker)
        elif marker in OTHERS:
            self._kept.drop(Spare.COMMENT if marker == COM else Spare.APPLICATION)
        else:
            raise bad_pixel_data()
        return end

    def _scan(self, begin: int) -> int:
        """Keep the entropy-coded bytes from `begin`; where the marker behind them stands, or the end."""
        end = self._stream.search(self._entropy_ends, begin)
        while end >= 0 and self._stream.read(end + 1, 1) == b"\xff":  # a fill byte, before a marker or a stuffed FF
            end = self._stream.search(self._entropy_ends, end + 1)
        end = self._stream.size if end < 0 else end
        self._kept.keep_coded(begin, end)
        return end

    def _application(self, at: int, end: int, marker: int) -> None:
        content = self._stream.read(at + 4, end - at - 4)
        needed = self._needed(marker, content)
        if needed == content:
            self._kept.keep_text(at, end)
            return
        self._kept.drop(Spare.APPLICATION)
        if needed:
            self._kept.write(bytes((0xFF, marker)) + (len(needed) + 2).to_bytes(2, "big") + needed)

    def _needed(self, marker: int, content: bytes) -> bytes:
        """What decoders read of an application segment: JFIF without its thumbnail, Adobe's transform, a profile."""
        if marker == 0xE0 and content.startswith(b"JFIF\0") and len(content) >= 14:
            return content[:12] + bytes(2)
        if marker == 0xEE and content.startswith(b"Adobe") and len(content) >= 12:
            return content[:12]
        if marker == 0xE8 and content.startswith(b"mrfx") and len(content) >= 5:  # colour transform of HP's JPEG-LS
            return content[:5]
        if marker == 0xE2 and content.startswith(_ICC):
            profile = content[_ICC_HEADER_BYTES:]
            if content[12:13] == b"\1":
                self._has_profile = profile[36:40] == b"acsp"
            return content if self._has_profile else b""
        return b""
