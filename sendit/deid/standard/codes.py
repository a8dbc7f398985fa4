"""Coded entries (PS3.3 8): `(113100, DCM, "Basic Application Confidentiality Profile")` in text, items in a file."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sendit.deid.stream.encodings import Encoding

CODE_VALUE, CODING_SCHEME_DESIGNATOR, CODE_MEANING = 0x00080100, 0x00080102, 0x00080104

_CODE = re.compile(r'\s*\(\s*([A-Za-z0-9.-]{1,16})\s*,\s*([A-Za-z0-9]{1,16})\s*,\s*"([ -~]{1,64}?)"\s*\)')


@dataclass(frozen=True, slots=True)
class Code:
    """A coded entry; `str()` is how PS3.16 writes it."""

    value: str
    scheme: str
    meaning: str

    def __str__(self) -> str:
        return f'({self.value}, {self.scheme}, "{self.meaning}")'


def parse_codes(text: str) -> tuple[Code, ...]:
    """The codes of a text, one behind the other; ValueError where it is anything else."""
    codes, at = [], 0
    while at < len(text.rstrip()):
        match = _CODE.match(text, at)
        if match is None:
            raise ValueError(text[at:])
        codes.append(Code(*match.groups()))
        at = match.end()
    if not codes:
        raise ValueError(text)
    return tuple(codes)


def write_items(codes: tuple[Code, ...], encoding: Encoding) -> bytes:
    """The value of a code sequence, an item of defined length for each code (PS3.5 7.5)."""
    return b"".join(encoding.item(_content(code, encoding)) for code in codes)


def _content(code: Code, encoding: Encoding) -> bytes:
    texts = {CODE_VALUE: ("SH", code.value), CODING_SCHEME_DESIGNATOR: ("SH", code.scheme)}
    texts[CODE_MEANING] = ("LO", code.meaning)
    return b"".join(encoding.write(tag, vr, _even(text)) for tag, (vr, text) in texts.items())


def _even(text: str) -> bytes:
    return (text + " " * (len(text) % 2)).encode("ascii")
