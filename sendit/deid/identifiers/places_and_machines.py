"""Where somebody lies or lives, and which machine it was: extensions, rooms, postcodes, documents and hosts by form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

Span = tuple[int, int]

_PLACE_NAME = r"[A-ZÀ-Ž][a-zà-ž][\w-]{1,20}"
_CASELESS = (
    # extensions
    r"\b(?:ext(?:ension)?|extn|durchwahl|dw|klappe|poste|interno|anexo|ramal|toestel)[ .:#]{0,3}\d{3,6}\b",
    # documents
    r"\b(?:passport|reisepass|pasaporte|passeport|passaporto|passaporte|paspoort|personalausweis|driver'?s licen[cs]e"
    r"|id card|dni|nie|nif|curp)\b[ .:#]{0,3}(?:no|nr|number|nummer|n°)?[ .:#]{0,3}(?=[A-Z]{0,3}\d)[A-Z0-9]{6,12}\b",
    # rooms and beds
    r"\b(?:(?:room|ward|zimmer|chambre|habitaci[oó]n|stanza|kamer|quarto|pokój)\b[ .:#]{0,3}(?:no|nr)?[ .:#]{0,2}"
    r"[A-Z]?\d{1,4}|(?:rm|zi)[ .]{1,2}\d{2,4})[A-Z]?"
    r"(?:[ ,/-]{1,2}(?:bed|bett|lit|cama|letto|leito)[ .:#]{0,2}[A-Z0-9]{1,3})?\b",
    r"\b(?:bed|bett|lit|cama|letto|leito)(?: ?[:#] ?| ?(?:no|nr)\.? ?)[A-Z]?\d{1,3}[A-Z]?\b(?! ?pos)",
    r"\b(?:bed|bett) (?:[A-Z]\d{1,2}|\d{1,2}[A-Z])\b",
    # network cards and addresses of version 6
    r"(?<![\w:.-])(?:(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}|(?:[0-9a-f]{1,4}:){3,7}(?::|[0-9a-f]{1,4})"
    r"|(?:[0-9a-f]{1,4}:){1,7}:(?:[0-9a-f]{1,4}:){0,6}[0-9a-f]{1,4})(?![\w:.-])",
    # hosts
    r"(?<![\w.])[A-Z][A-Z0-9-]{1,62}(?:\.[A-Z0-9-]{1,63}){0,4}"
    r"\.(?:local|lan|intern|internal|corp|localdomain|hospital|clinic)\b",
    r"(?<![\w.-])(?:desktop|laptop|win|pc|ws|srv|server|nb)-(?=[A-Z-]*\d)[A-Z0-9-]{4,20}\b",
    r"\b(?:host(?:name)?|workstation|computer) ?[:=] ?[A-Z0-9][\w.-]{1,60}",
)
_WITH_CASE = (
    r"(?<!\w)[A-Z]{1,2}\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{2}(?!\w)",  # a postcode of the United Kingdom
    r"(?<!\w)[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z] \d[ABCEGHJ-NPRSTV-Z]\d(?!\w)",  # of Canada
    # of the Netherlands; of several with their country; of Poland, Portugal and Sweden
    rf"(?<!\w)\d{{4}} ?(?!MM|MS|HU|KV|TR|TE|TI|AX|CT|MR|HZ|CM|MG|ML|DR|US|PT)[A-Z]{{2}} {_PLACE_NAME}(?!\w)",
    rf"(?<!\w)(?:CH|A|AT|B|BE|DK|NO?|D|DE|FR?|IT?|ES?|L|SE?|PL?|PT|NL|FIN?)-\d{{4,5}} {_PLACE_NAME}(?!\w)",
    rf"(?<![\w.])(?:\d\d-\d{{3}}|\d{{4}}-\d{{3}}|\d{{3}} \d\d|\d{{5}}) {_PLACE_NAME}(?!\w)",
)


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    return re.compile("|".join(_CASELESS), re.IGNORECASE), re.compile("|".join(_WITH_CASE))


def places_and_machines(text: str) -> Iterator[Span]:
    """Where such forms stand; they may overlap."""
    for pattern in _patterns():
        yield from (match.span() for match in pattern.finditer(text))
