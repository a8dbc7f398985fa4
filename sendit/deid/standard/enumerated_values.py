"""Code strings of which PS3.3 closes the list of values: a table with its sections."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydicom.datadict import tag_for_keyword

VALUES_FILE = Path(__file__).with_suffix(".tsv")

_SPELLED_OUT = {"MALE": "M", "FEMALE": "F", "OTHER": "O"}
"""What Patient's Sex is called where somebody typed it."""


@cache
def enumerated_values() -> Mapping[int, frozenset[str]]:
    """The values of each such attribute, by its tag."""
    rows = (line.split("\t") for line in VALUES_FILE.read_text("utf-8").splitlines() if not line.startswith("#"))
    return {_tag(keyword): frozenset(values.split()) for keyword, values, _section in rows}


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"{keyword} is no keyword")
    return tag


def enumerated(values: frozenset[str], text: str) -> str:
    """The one of the values that a text means; "" where it is none of them."""
    term = text.strip().upper()
    meant = _SPELLED_OUT.get(term, term)
    return meant if meant in values else ""
