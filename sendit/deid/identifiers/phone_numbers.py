"""Phone numbers of all countries as they are dialled within each, told by the layouts that libphonenumber knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise

Span = tuple[int, int]
_FEWEST, _MOST = 8, 12
"""Digits. Shorter numbers cannot be told from measurements."""
_CANDIDATE = re.compile(
    r"(?<![\w.,/+-])\(?\d{1,5}\)?(?: ?[ .-] ?\(?\d{1,5}\)?){1,4}(?![\w,/%-]|\.\d"
    r"| ?(?:mm|cm|ms|s|sec|min|kvp?|mas?|hz|deg|ml|x)(?![^\W_]))",
    re.IGNORECASE,
)
_GROUP = re.compile(r"\d+")
_LONGEST_PARAMETER = 8
_PARAMETER = re.compile(r"(?:\b(?:TEs?|TRs?|TIs?|FAs?|FOV|TA|NSA|W|L|WW|WL|b)[ =:]{0,2})$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a country groups numbers of one kind; `leading` is how they begin, `prefix` what may stand before."""

    number: re.Pattern[str]
    leading: re.Pattern[str]
    prefix: str


def phone_numbers(text: str) -> Iterator[Span]:
    """Where such numbers stand; phonenumbers is imported when the first candidate appears."""
    for match in _CANDIDATE.finditer(text):
        groups = tuple(_GROUP.findall(match[0]))
        is_long = _FEWEST <= sum(map(len, groups)) <= _MOST
        if (
            is_long
            and not _is_list(groups)
            and not _PARAMETER.search(text, max(match.start() - _LONGEST_PARAMETER, 0), match.start())
            and _is_dialled(groups)
        ):
            yield match.span()


def _is_list(groups: tuple[str, ...]) -> bool:
    """Whether they are rather round numbers or steps: 20 30 40 50, 12 24 36 48."""
    numbers = [int(group) for group in groups]
    steps = {later - earlier for earlier, later in pairwise(numbers)}
    return (
        all(number % 5 == 0 for number in numbers) or len(set(numbers)) == 1 or (len(numbers) > 2 and len(steps) == 1)
    )


@lru_cache(maxsize=4096)
def _is_dialled(groups: tuple[str, ...]) -> bool:
    """Whether a country groups a number so."""
    return any(_fits(groups, layout) for layout in _layouts())


def _fits(groups: tuple[str, ...], layout: _Layout) -> bool:
    for prefix in {"", layout.prefix}:
        if groups[0].startswith(prefix):
            rest = groups[0][len(prefix) :]
            parts = (rest, *groups[1:]) if rest else groups[1:]
            match = layout.number.fullmatch("".join(parts))
            if match and match.groups() == parts and layout.leading.match(match[0]):
                return True
    return False


@cache
def _layouts() -> tuple[_Layout, ...]:
    from phonenumbers import SUPPORTED_REGIONS, PhoneMetadata

    found: dict[tuple[str, str, str], _Layout] = {}
    for region in sorted(SUPPORTED_REGIONS):
        metadata = PhoneMetadata.metadata_for_region(region)
        for one in metadata.number_format if metadata else ():
            pattern = one.pattern or ""
            leading = one.leading_digits_pattern[-1] if one.leading_digits_pattern else ""
            prefix = (metadata and metadata.national_prefix) or ""
            found[pattern, leading, prefix] = _Layout(re.compile(pattern), re.compile(leading), prefix)
    return tuple(found.values())
