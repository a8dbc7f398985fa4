"""Numbers that states, insurances and banks give, told by their layout and their check digits.

Only layouts with something between the digits stand here: five digits and more without a gap go in any case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module

Span = tuple[int, int]

_LAYOUTS = {
    "ch.ssn": r"756[. ]\d{4}[. ]\d{4}[. ]\d\d",
    "br.cpf": r"\d{3}\.\d{3}\.\d{3}-\d\d",
    "br.cnpj": r"\d\d\.\d{3}\.\d{3}/\d{4}-\d\d",
    "be.nn": r"\d\d[. ]\d\d[. ]\d\d[- ]\d{3}[. ]\d\d",
    "in_.aadhaar": r"\d{4}[ -]\d{4}[ -]\d{4}",
    "in_.pan": r"[A-Z]{5}\d{4}[A-Z]",
    "fr.nir": r"[12] ?\d\d ?\d\d ?(?:\d\d|2[AB]) ?\d{3} ?\d{3}[ /]?\d\d",
    "dk.cpr": r"\d{6}-\d{4}",
    "se.personnummer": r"(?:\d\d)?\d{6}[-+]\d{4}",
    "is_.kennitala": r"\d{6}[- ]\d{4}",
    "cz.rc": r"\d{6}/\d{3,4}",
    "fi.hetu": r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]",
    "gb.nhs": r"\d{3}[ -]\d{3}[ -]\d{4}",
    "de.idnr": r"\d\d ?\d{3} ?\d{3} ?\d{3}",
    "it.codicefiscale": r"[A-Z]{3} ?[A-Z]{3} ?[0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{2} ?[A-Z][0-9LMNP-V]{3}[A-Z]",
    "es.nie": r"[XYZ]-?\d{7}-?[A-Z]",
    "es.dni": r"(?:\d{8}|\d\d\.\d{3}\.\d{3})[- ]?[A-Z]",
    "cl.rut": r"\d{1,2}\.\d{3}\.\d{3}-[0-9K]",
    "ar.cuit": r"\d\d-\d{8}-\d",
    "nl.bsn": r"\d{4}[. ]\d\d[. ]\d{3}",
    "pk.cnic": r"\d{5}-\d{7}-\d",
    "th.pin": r"\d-\d{4}-\d{5}-\d\d-\d",
    "my.nric": r"\d{6}-\d\d-\d{4}",
    "kr.rrn": r"\d{6}-\d{7}",
    "pl.pesel": r"\d{6}[ -]\d{5}",
    "no.fodselsnummer": r"\d{6}[ -]\d{5}",
    "ie.pps": r"\d{7}[A-W][A-IW]?",
    "ca.sin": r"\d{3}[- ]\d{3}[- ]\d{3}",
    "luhn": r"\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{1,7}|3[47]\d\d[ -]\d{6}[ -]\d{5}",
    "iban": r"[A-Z]{2}\d\d(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,4})?",
}
"""How a number is written, by the module of python-stdnum that knows its check digits."""
_MAY_BE = re.compile(r"\d[A-Z0-9./ +-]{4,}", re.IGNORECASE)
_FEWEST_DIGITS = 4
_LETTER = "[AC-HJKMNP-RT-Y]"
_EITHER = "[0-9AC-HJKMNP-RT-Y]"
_WITHOUT_CHECK = re.compile(rf"(?<![\w.-])[1-9]{_LETTER}{_EITHER}\d-?{_LETTER}{_EITHER}\d-?{_LETTER}{{2}}\d\d(?![\w-])")
"""The Medicare Beneficiary Identifier of the United States."""


def national_numbers(text: str) -> Iterator[Span]:
    """Where such numbers stand; python-stdnum is imported when the first layout fits."""
    if sum(map(str.isdigit, text)) < _FEWEST_DIGITS or not _MAY_BE.search(text):
        return
    yield from (match.span() for match in _WITHOUT_CHECK.finditer(text))
    for name, pattern in _patterns():
        for match in pattern.finditer(text):
            if import_module(f"stdnum.{name}").is_valid(_compact(match[0], name)):
                yield match.span()


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (name, re.compile(rf"(?<![\w.-])(?:{layout})(?![\w-]|\.\d)", re.IGNORECASE))
        for name, layout in _LAYOUTS.items()
    )


def _compact(number: str, name: str) -> str:
    """Without what is between the digits, but for a mark that says the century."""
    return number.upper() if name in ("fi.hetu", "se.personnummer") else re.sub(r"[^0-9A-Z]", "", number.upper())
