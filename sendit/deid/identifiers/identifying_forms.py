"""Forms that identify whatever they say: phone numbers, addresses, numbers of records. Found by their shape alone.

Every expression takes time in proportion to the text: no repetition stands within another that could match the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import ascii_letters

from sendit.deid.identifiers.national_numbers import national_numbers
from sendit.deid.identifiers.phone_numbers import phone_numbers
from sendit.deid.identifiers.places_and_machines import places_and_machines
from sendit.deid.identifiers.vocabulary import fold, is_known, is_name

Span = tuple[int, int]


def identifying_forms(text: str) -> Iterator[Span]:
    """Where such forms stand, in no order; they may overlap. An underscore is a blank there, too."""
    yield from _forms(text)
    if "_" in text:
        yield from _forms(text.replace("_", " "))


def _forms(text: str) -> Iterator[Span]:
    yield from sure_forms(text)
    if _DIGIT.search(text):
        for pattern in _DOTTED:
            yield from (match.span() for match in pattern.finditer(text))
        yield from _long_numbers(text)
        yield from places_and_machines(text)
        yield from national_numbers(text)
        yield from phone_numbers(text)


def sure_forms(text: str) -> Iterator[Span]:
    """Those that the versions, the serial numbers and the models of devices do not have as well."""
    if "@" in text:
        yield from (match.span() for match in _MAIL.finditer(text))
    if "." in text or "//" in text or "\\" in text:
        yield from (match.span() for match in _WEB.finditer(text))
    if _DIGIT.search(text):
        for pattern in _NUMBERS:
            yield from (match.span() for match in pattern.finditer(text))
        yield from _record_numbers(text)
        yield from _addresses(text)


_DIGIT = re.compile("[0-9]")
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w.-]{1,255}")
_WEB = re.compile(
    r"(?:https?|ftp|file)://\S+|\bwww\.\S+|\\\\\S+|\b[A-Za-z]:\\\S+"
    r"|\b(?:[A-Za-z0-9-]{1,63}\.){1,5}(?:com|org|net|edu|gov|info|int|eu|de|ch|at|uk|fr|it|es|nl|be|pl|se|dk|jp|cn|au|ca|us)\b(?!\.)",
    re.IGNORECASE,
)
_DOTTED = (
    re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]|\.\d)"),  # an address of the Internet Protocol
    re.compile(r"(?<![\d.])[0-2](?:\.\d{1,40}){4,}(?!\d)"),  # a UID
)
_NUMBERS = (
    re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE),  # a UUID
    re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])"),  # a Social Security Number
    re.compile(r"\+\d[\d ()./-]{7,20}\d"),  # a phone number with its country
    re.compile(r"(?<![\d.])(?:1[-. ])?(?:\(\d{3}\) ?|\d{3}[-. /])\d{3}[-. ]\d{4}(?!\d)"),  # one of North America
    re.compile(r"(?<![\d.])\(?0\d{1,4}\)?(?:[ /.-]\d{2,4}){2,4}(?![\d.])"),  # one of Europe
    re.compile(r"(?<![\w.-])(?!\d\d0-\d{3}0)\d{3}-\d{4}(?![\w.-])"),  # one without its area
    re.compile(
        r"\b(?:tele?(?:phone|fon)?|phone|fax|mobile|cell|pager|beeper|handy)\b[ .:#]{0,3}(?:no|nr)?[ .:#]{0,3}"
        r"[\d(+][\d ()./+-]{3,20}\d",
        re.I,
    ),
    re.compile(r"(?<![A-Za-z0-9])[A-Z]{1,3}\d{2}-\d{4,6}(?![A-Za-z0-9])"),  # the number of a case
    re.compile(r"(?<![\w.,])0\d{2,4}[ /-]\d{5,8}(?![\w.,])"),  # one with its area
    re.compile(r"#\s?\d{4,}(?![A-Za-z0-9])"),
    re.compile(
        r"(?<![\d.,])(?!\d\d0[ -]\d\d0[ -]\d\d0(?!\d))\d{3}[ -]\d{3}[ -]\d{3,4}(?![\d.,])"
    ),  # the number of a health service
    re.compile(r"(?<![A-Za-z])[A-Z]{2} \d{5}(?:-\d{4})?(?!\d)"),  # state and ZIP code
)

# ---------------------------------------------------------------------------------------------- numbers of records

_RECORD = re.compile(
    r"(?<![A-Za-z])(?:mrn|pid|ssn|nhs|dob|(?:pat(?:ient)?|pt|med(?:ical)?|hosp(?:ital)?|study|exam|case|order|req(?:uest|uisition)?"
    r"|chart|file|rec(?:ord)?|visit|encounter|account|acct|acc(?:ession)?|adm(?:ission)?|policy|insurance|member|ref(?:erence)?)"
    r"[ ._-]?(?:id|no|nr|num(?:ber)?)|acc(?:ession)?|id)(?:[ ._-]{0,2}(?:id|no|nr|num(?:ber)?))?"
    r"[ .:#=_-]{1,4}(?P<number>(?=[A-Za-z0-9-]{0,20}\d)[A-Za-z0-9-]{3,40})",
    re.IGNORECASE,
)
"""A word that announces the number of a record, and the number: MRN 12345, Patient ID: AB-77, Acc# 1234."""


def _record_numbers(text: str) -> Iterator[Span]:
    for match in _RECORD.finditer(text):
        if sum(map(str.isdigit, match["number"])) >= 2 and not is_measurement(match["number"]):
            yield match.span()


_LONG = re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z]{0,12}\d)[A-Za-z0-9]{5,}")
_UNIT = (
    "kvp?|mas?|mm|cm|ms|s|sec|min|hz|t|tesla|x|gy|mgy|mbq|kbq|mci|ml|cc|kev|mev|ev|hu|deg|pct|hrs?|wk|yr?|of|p|d|b|f|h"
    "|w|l|i"
)
_MEASUREMENT = re.compile(rf"(?:b?\d{{1,5}}(?:{_UNIT}))+\d{{0,5}}", re.IGNORECASE)
_FEWEST = 5


def _long_numbers(text: str) -> Iterator[Span]:
    """Words with five digits and more, and numbers of so many, but for round ones and measurements."""
    for match in _LONG.finditer(text):
        word = match[0]
        digits = sum(map(str.isdigit, word))
        if digits >= _FEWEST and not (
            is_measurement(word) or (digits == _FEWEST and word.isdigit() and word.endswith("00"))
        ):
            yield match.span()


def is_measurement(word: str) -> bool:
    """Whether a word is made of numbers and units, perhaps behind a word: 120kV50mAs, 1x450ms, OSEM20s2i10mm."""
    measure = word.lstrip(ascii_letters)
    if len(word) > 40 or not measure or measure.isdigit() or _MEASUREMENT.fullmatch(measure) is None:
        return False
    return measure == word or is_known(word[: -len(measure)].lower())


# ---------------------------------------------------------------------------------------------- where people live

_STREET = re.compile(
    r"(?<![\w.])\d{1,5}[A-Za-z]?,? +(?P<name>(?:[^\W\d_][\w.'-]{0,30} +){1,4}?)(?P<kind>street|avenue|boulevard"
    r"|road|lane|highway|parkway|terrace|st|ave?|blvd|rd|ln|hwy|pkwy|drive|court|place|square|way|circle|crescent|close)\b\.?",
    re.IGNORECASE,
)
_SURE_KINDS = frozenset({"street", "avenue", "boulevard", "road", "highway", "parkway"})
_STRASSE = re.compile(
    r"\b[^\W\d_][\w.-]{0,40}(?:stra(?:ss|ß)e|str\.|gasse|allee|platz|laan|straat|vägen|gatan) {0,2}\d{1,4}[a-z]?\b",
    re.IGNORECASE,
)
_RUE = re.compile(
    r"(?<!\w)(?:\d{1,4}(?: ?bis)?,? +)?(?:rue|chemin|impasse|quai|viale|piazza|calle|avenida|travessa|ulica|ul\.|carrer"
    r"|(?-i:Via|Rua))(?: +(?:de|du|des|la|le|les|del|della|dei|da|do|dos|san|st\.?)){0,3}"
    r" +(?-i:[A-ZÀ-ÞŁŚŻ])[\w.'-]{1,30}(?:,? *\d{1,4}(?![\w.]))?",
    re.IGNORECASE,
)
_BOX = re.compile(r"\b(?:p\.? ?o\.? ?box|postfach|case postale) *\d{1,6}\b", re.IGNORECASE)


def _may_be_proper(word: str) -> bool:
    return is_name(word) or not is_known(word)


def _addresses(text: str) -> Iterator[Span]:
    for match in _STREET.finditer(text):
        words = re.findall(r"[^\W\d_]+", match["name"])
        if match["kind"].lower() in _SURE_KINDS or any(map(_may_be_proper, map(fold, words))):
            yield match.span()
    for pattern in (_STRASSE, _RUE, _BOX):
        yield from (match.span() for match in pattern.finditer(text) if _DIGIT.search(match[0]))
