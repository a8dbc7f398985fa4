"""Values of data elements: bytes to Python and back, by VR and Specific Character Set (PS3.5 6, PS3.3 C.12.1.1.2).

Decides nothing about identifiers; the plan does.
"""

from __future__ import annotations

import math
import re
import struct
import warnings
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from pydicom.charset import decode_bytes, encode_string, python_encoding
from pydicom.valuerep import format_number_as_ds

from sendit.errors import DataFault

TEXT_VRS = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)
"""VRs whose value is a string."""
CHARSET_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""VRs whose string is encoded by the Specific Character Set; the other strings are of the default repertoire."""
SINGLE_VRS = frozenset({"LT", "ST", "UT", "UR"})
"""String VRs in which a backslash is a character, not a delimiter of values."""
LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
"""VRs whose explicit form has a 32-bit length (PS3.5 7.1.2)."""
NUMBERS = {"FL": "f", "FD": "d", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}
"""Binary number VRs and their struct codes."""
BYTES_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
VRS = TEXT_VRS | LONG_VRS | NUMBERS.keys() | {"AT"}
MAX_CHARACTERS = {"AE": 16, "CS": 16, "DS": 16, "IS": 12, "LO": 64, "SH": 16, "ST": 1024, "LT": 10240, "AS": 4}
"""PS3.5 Table 6.2-1, characters a value (PN: 64 a component group)."""

_MISNOMERS = {
    "ISO_IR 192": "UTF8|UTF 8|UNICODE|ISO 10646",
    "ISO_IR 100": "LATIN1|LATIN 1|ISO 8859 1|ISO8859 1|CP1252|WINDOWS 1252|WINDOWS1252|ANSI",
    "ISO_IR 101": "LATIN2|LATIN 2|ISO 8859 2|ISO8859 2",
    "ISO_IR 109": "LATIN3|ISO 8859 3|ISO8859 3",
    "ISO_IR 110": "LATIN4|ISO 8859 4|ISO8859 4",
    "ISO_IR 144": "CYRILLIC|ISO 8859 5|ISO8859 5",
    "ISO_IR 127": "ARABIC|ISO 8859 6|ISO8859 6",
    "ISO_IR 126": "GREEK|ISO 8859 7|ISO8859 7",
    "ISO_IR 138": "HEBREW|ISO 8859 8|ISO8859 8",
    "ISO_IR 148": "LATIN5|ISO 8859 9|ISO8859 9",
    "ISO_IR 203": "LATIN9|ISO 8859 15|ISO8859 15",
    "ISO_IR 166": "TIS 620|TIS620|ISO 8859 11",
    "GB18030": "GB 18030",
    "GBK": "GB2312|GB 2312|CP936",
    "": "ASCII|US ASCII|ISO_IR 6|ISO 646",
}
_CALLED = {name: term for term, names in _MISNOMERS.items() for name in names.split("|")}
"""What writers call character sets, tidied, and the Defined Term (PS3.3 C.12.1.1.2) that is meant."""

_WINDOWS_ONLY = re.compile(b"[\x80-\x9f]")
_IN_LATIN = str.maketrans({
    "€": "EUR", "‚": ",", "ƒ": "f", "„": '"', "…": "...", "†": "+", "‡": "++", "ˆ": "^", "‰": "0/00", "Š": "S",
    "‹": "<", "Œ": "OE", "Ž": "Z", "‘": "'", "’": "'", "“": '"', "”": '"', "•": "\xb7", "–": "-", "—": "-",
    "˜": "~", "™": "(TM)", "š": "s", "›": ">", "œ": "oe", "ž": "z", "Ÿ": "Y",
})  # fmt: skip
"""What only Windows-1252 has, written in Latin-1."""

Charset = tuple[str, ...]
"""Python's names of the encodings that a Specific Character Set declares, the default one first."""

DEFAULT_CHARSET: Charset = ("iso8859",)

_PN_DELIMITERS = {0x0D, 0x0A, 0x09, 0x0C, 0x5E, 0x3D}
_TEXT_DELIMITERS = {0x0D, 0x0A, 0x09, 0x0C}
_DELIMITERS = re.compile(r"([\\^=\r\n\t\f])")
"""Behind each of them text begins in the first character set again, and so is encoded apart (PS3.5 6.1.2.5.3)."""
_ESCAPE = re.compile("\x1b[ -/]+[0-~]")
"""pydicom leaves the ones of ISO 2022 IR 58 in the text."""


@lru_cache(maxsize=256)
def charset(raw: bytes) -> Charset:
    """The encodings of a (0008,0005) value; DataFault when a term is not one of PS3.3 C.12.1.1.2's."""
    encodings = []
    for term in _terms(raw):
        name = python_encoding.get(_defined(term))
        if name is None:
            raise DataFault("UnknownCharacterSet", tag=0x00080005)
        encodings.append(name)
    if not encodings[0]:
        encodings[0] = "iso8859"
    return tuple(encodings)


def _terms(raw: bytes) -> list[str]:
    return [term.strip(" \0") for term in raw.decode("ascii", "replace").split("\\")]


def _defined(term: str) -> str:
    """The Defined Term that is meant: ISO_IR 192 for UTF-8."""
    if term in python_encoding:
        return term
    tidy = re.sub(r"[ _-]+", " ", term.upper()).replace("ISOIR", "ISO IR")
    tidy = tidy.replace("ISO IR", "ISO_IR") if tidy.startswith("ISO IR") else tidy
    return _CALLED.get(tidy, tidy)


REMEMBERED_BYTES = 64
"""The longest value of Specific Character Set that is remembered."""


def defined_terms(raw: bytes) -> bytes:
    """A (0008,0005) value by its Defined Terms; as it is where it has them."""
    return _known_terms(raw) if len(raw) <= REMEMBERED_BYTES else _defined_terms(raw)


def _defined_terms(raw: bytes) -> bytes:
    terms = _terms(raw)
    defined = [_defined(term) for term in terms]
    if defined == terms:
        return raw
    value = "\\".join(defined).encode("ascii", "replace")
    return value + b" " * (len(value) % 2)


_known_terms = lru_cache(maxsize=256)(_defined_terms)


def is_windows(raw: bytes, encodings: Charset) -> bool:
    """Whether a value that is declared as Latin-1 is in Windows-1252: Latin-1 has no characters there."""
    return encodings == ("latin_1",) and _WINDOWS_ONLY.search(raw) is not None


def shortened(text: str, vr: str) -> str:
    """One value, cut behind a word where it is longer than its VR allows."""
    limit = MAX_CHARACTERS.get(vr)
    if limit is None or len(text) <= limit:
        return text
    words = text[: limit + 1].rstrip().rpartition(" ")[0].rstrip()
    return words or text[:limit]


def decode(raw: bytes, vr: str, encodings: Charset) -> str:
    """The text of a string value: padding gone, undecodable bytes shown as U+FFFD, never an error."""
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii").strip(" \0") if vr not in SINGLE_VRS else raw.decode("ascii").rstrip(" \0")
    if vr not in CHARSET_VRS:
        return raw.decode("latin-1").strip(" \0")
    if is_windows(raw, encodings):
        return raw.decode("cp1252", "replace").strip(" \0")
    delimiters = _PN_DELIMITERS if vr == "PN" else _TEXT_DELIMITERS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            text = decode_bytes(raw, list(encodings), delimiters)
        except (UnicodeError, LookupError, ValueError):
            text = raw.decode(encodings[0] if encodings else "latin-1", "replace")
    return (_ESCAPE.sub("", text) if "\x1b" in text else text).strip(" \0")


def split(text: str, vr: str) -> tuple[str, ...]:
    """The values of a string, each without its padding (PS3.5 6.4)."""
    if vr in SINGLE_VRS:
        return (text,) if text else ()
    return tuple(part.strip(" \0") for part in text.split("\\")) if text else ()


def read_values(raw: bytes, vr: str, order: str, encodings: Charset) -> tuple[object, ...]:
    """The values of an element as Python's: str, int, float, or bytes for opaque VRs. `order` is "<" or ">"."""
    if vr in TEXT_VRS:
        return split(decode(raw, vr, encodings), vr)
    code = "HH" if vr == "AT" else NUMBERS.get(vr)
    if code is None:
        return (raw,) if raw else ()
    numbers = list(struct.iter_unpack(order + code, raw[: len(raw) // _size(code) * _size(code)]))
    return tuple(f"{a[0]:04X}{a[1]:04X}" for a in numbers) if vr == "AT" else tuple(a[0] for a in numbers)


def _size(code: str) -> int:
    return struct.calcsize("<" + code)


def encode(value: object, vr: str, order: str, encodings: Charset, tag: int) -> bytes:
    """The even-length bytes of a value; DataFault NotEncodable where no legal ones exist.

    Parameters
    ----------
    value : str, int, float, bytes, None, or a sequence of these
        None and "" are the empty value.
    vr, order, encodings
        The element's VR, "<" or ">", and its character set.
    tag : int
        For the error.
    """
    if value is None or value == "":
        return b""
    raw = _encode(value, vr, order, encodings, tag)
    return raw + (b"\0" if vr == "UI" or vr not in TEXT_VRS else b" ") if len(raw) % 2 else raw


def _encode(value: object, vr: str, order: str, encodings: Charset, tag: int) -> bytes:
    if vr in TEXT_VRS:
        return _encode_text(value, vr, encodings, tag)
    try:
        if vr in BYTES_VRS:
            return value if isinstance(value, bytes) else str(value).encode()
        if vr == "AT":
            numbers = [int(str(part).replace(",", "").strip("()"), 16) for part in _several(value)]
            return b"".join(struct.pack(order + "HH", number >> 16, number & 0xFFFF) for number in numbers)
        kind: Any = float if vr in ("FL", "FD") else int
        return b"".join(struct.pack(order + NUMBERS[vr], kind(part)) for part in _several(value))
    except (ValueError, TypeError, KeyError, OverflowError, struct.error):
        raise DataFault("NotEncodable", tag=tag) from None


def _several(value: object) -> Sequence[object]:
    if isinstance(value, str):
        return value.split("\\")
    return value if isinstance(value, Sequence) and not isinstance(value, bytes) else (value,)


def _encode_text(value: object, vr: str, encodings: Charset, tag: int) -> bytes:
    text = value if isinstance(value, str) else "\\".join(_written(part, vr, tag) for part in _several(value))
    parts = [text] if vr in SINGLE_VRS else text.split("\\")
    text = "\\".join(_legal(part, vr, tag) for part in parts)
    if encodings == ("latin_1",):
        text = text.translate(_IN_LATIN)
    if text.isascii():
        return text.encode("ascii")
    if vr not in CHARSET_VRS:
        raise DataFault("NotEncodable", tag=tag)
    if encodings[0] == "iso8859" and _is_latin(text):  # the default repertoire is ASCII; Python's is not
        raise DataFault("NotEncodable", tag=tag)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            raw = b"".join(encode_string(part, list(encodings)) for part in _DELIMITERS.split(text))
        except (UnicodeError, LookupError, ValueError):
            raise DataFault("NotEncodable", tag=tag) from None
    if decode(raw, vr, encodings) != text.strip(" \0"):
        raise DataFault("NotEncodable", tag=tag)
    return raw


def _is_latin(text: str) -> bool:
    return any("\x80" <= character <= "\xff" for character in text)


def _written(part: object, vr: str, tag: int) -> str:
    if isinstance(part, bytes):
        raise DataFault("NotEncodable", tag=tag)
    if vr == "DS" and isinstance(part, float) and math.isfinite(part) and len(str(part)) > MAX_CHARACTERS["DS"]:
        return format_number_as_ds(part)
    return str(part)


_HOURS = "([01][0-9]|2[0-3])(?:[0-5][0-9](?:([0-5][0-9]|60)(?:[.][0-9]{1,6})?)?)?"
_DAYS = "(?P<year>[0-9]{4})(?:(?P<month>0[1-9]|1[0-2])(?:(?P<day>0[1-9]|[12][0-9]|3[01])(?:" + _HOURS + ")?)?)?"
_FORMS = {
    "AS": re.compile("[0-9]{3}[DWMY]"),
    "CS": re.compile("[A-Z0-9 _]*"),
    "DA": re.compile("(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})"),
    "DS": re.compile("[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([Ee][+-]?[0-9]+)?"),
    "DT": re.compile(_DAYS + "([+-][0-9]{4})?"),
    "IS": re.compile("[+-]?[0-9]+"),
    "TM": re.compile(_HOURS),
    "UI": re.compile("(?=.{1,64}$)(0|[1-9][0-9]*)([.](0|[1-9][0-9]*))*"),
}
"""What a value of these VRs looks like, where it is not empty (PS3.5 Table 6.2-1)."""
_LINE_VRS = frozenset({"AE", "LO", "PN", "SH", "UC", "UR"})
_CONTROL, _CONTROL_IN_TEXT = re.compile("[\0-\x1f\x7f]"), re.compile("[\0-\x08\x0b\x0e-\x1f\x7f]")
_ISO = re.compile(
    "([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.][0-9]+)?))?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)


def _legal(part: str, vr: str, tag: int) -> str:
    """One value in the form its VR asks for (PS3.5 Table 6.2-1); ISO 8601 becomes DA, TM, DT."""
    part = _date_or_time(part.strip(), vr) if vr in ("DA", "TM", "DT") else part
    groups = part.split("=") if vr == "PN" else [part]
    limit = 64 if vr == "PN" else MAX_CHARACTERS.get(vr)
    fits = len(groups) <= 3 and (limit is None or all(len(group) <= limit for group in groups))
    if not fits or not is_well_formed(part, vr):
        raise DataFault("NotEncodable", tag=tag)
    return part


def is_well_formed(part: str, vr: str) -> bool:
    """Whether one value has the form that its VR asks for."""
    form = _FORMS.get(vr)
    if not part:
        return True
    if form is None:
        return not (_CONTROL if vr in _LINE_VRS else _CONTROL_IN_TEXT).search(part)
    match = form.fullmatch(part)
    if match is None or (vr == "IS" and not -(2**31) <= int(part) < 2**31):
        return False
    return vr not in ("DA", "DT") or _is_day(**match.groupdict())


def _is_day(year: str, month: str | None, day: str | None) -> bool:
    try:
        date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return False
    return True


def _date_or_time(part: str, vr: str) -> str:
    match = _ISO.fullmatch(part)
    if not match:
        return part[:8] if vr == "DA" and re.fullmatch("[0-9]{8}([0-9]{2}){0,3}([.][0-9]+)?", part) else part
    day, time = match[1].replace("-", ""), (match[2] or "00:00:00")[:8].replace(":", "")
    return {"DA": day, "TM": time, "DT": day + time}[vr]
