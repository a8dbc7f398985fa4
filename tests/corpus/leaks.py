"""Whether a secret stands in bytes: in any encoding that DICOM knows, in any case, order and punctuation."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator

from tests.corpus.people import Secret

ENCODINGS = (
    "utf-8", "utf-16-le", "utf-16-be", "latin-1", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-5", "iso8859-6",
    "iso8859-7", "iso8859-8", "iso8859-9", "cp874", "shift_jis", "iso2022_jp", "iso2022_jp_2", "iso2022_kr", "euc_jp",
    "euc_kr", "gb18030", "gb2312", "cp1250", "cp1251", "mac_roman",
)  # fmt: skip
DEFLATED = b"1.2.840.10008.1.2.1.99"
_ESCAPE = re.compile(rb"\x1b[\x20-\x2f]+[\x30-\x7e]")
_MARKS = re.compile(rb"(?<=[0-9a-z])[-./ ()^=]+(?=[0-9a-z])")


def forms_of(secret: Secret) -> set[bytes]:
    """The bytes that the secret may be, in lower case; without punctuation for those of digits."""
    spellings = set(_spellings(secret))
    spellings |= {unicodedata.normalize(form, text) for text in spellings for form in ("NFC", "NFD")}
    return {form for text in spellings for form in _encoded(text)}


def _spellings(secret: Secret) -> Iterator[str]:
    text = secret.text
    if secret.kind == "phone":
        yield re.sub(r"\D", "", text).lstrip("0")
    elif secret.kind == "id":
        yield from (text, re.sub(r"[^\w@]", "", text))
    elif secret.kind == "date":
        year, month, day = text[:4], text[4:6], text[6:]
        yield from (text, f"{day}{month}{year}", f"{month}{day}{year}")
    else:
        yield from (text, text.upper(), text.lower(), text.title())
        yield _without_accents(text)


def _without_accents(text: str) -> str:
    return "".join(part for part in unicodedata.normalize("NFD", text) if not unicodedata.combining(part))


def _encoded(text: str) -> Iterator[bytes]:
    for encoding in ENCODINGS:
        try:
            form = plain(text.encode(encoding))
        except UnicodeEncodeError:
            continue
        if len(form) > 3:
            yield form


def plain(data: bytes) -> bytes:
    """In lower case, without the escapes of ISO 2022."""
    return _ESCAPE.sub(b"", data).lower()


def views(output: bytes) -> list[bytes]:
    """A file as it may be looked at: as it is, inflated, without the zeros of wide characters, without punctuation."""
    whole = inflated(output)
    seen = plain(whole)
    narrow = seen.replace(b"\0", b"")
    return [seen, narrow, _MARKS.sub(b"", narrow)]


def inflated(output: bytes) -> bytes:
    """The file, its dataset inflated where that is deflated."""
    begin = output.find(DEFLATED, 132, 600)
    if begin < 0:
        return output
    size = int.from_bytes(output[140:144], "little")
    return output[: 144 + size] + zlib.decompressobj(-zlib.MAX_WBITS).decompress(output[144 + size :])


def leaks(output: bytes, secrets: Iterable[Secret]) -> Iterator[tuple[Secret, bool]]:
    """Each secret, and whether it stands in the bytes."""
    looked_at = views(output)
    for secret in secrets:
        yield secret, any(form in view for form in forms(secret) for view in looked_at)


_FORMS: dict[Secret, set[bytes]] = {}


def forms(secret: Secret) -> set[bytes]:
    """As `forms_of`, remembered."""
    if secret not in _FORMS:
        _FORMS[secret] = forms_of(secret)
    return _FORMS[secret]
