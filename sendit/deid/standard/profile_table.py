"""PS3.15 Table E.1-1 as data: which code each profile and option gives each attribute. Decides nothing.

`profile_table.tsv` is written by `python -m standard.profile_table` from the Standard's machine-readable form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROWS_FILE = Path(__file__).with_suffix(".tsv")

COLUMNS = (
    "Basic Profile",
    "Retain Safe Private",
    "Retain UIDs",
    "Retain Device Identity",
    "Retain Institution Identity",
    "Retain Patient Characteristics",
    "Retain Longitudinal Temporal Information with Full Dates",
    "Retain Longitudinal Temporal Information with Modified Dates",
    "Clean Descriptors",
    "Clean Structured Content",
    "Clean Graphics",
)
"""The table's columns: the Basic Profile, and the Options that change what it does to some attributes."""


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """One row.

    Parameters
    ----------
    tag : str
        Eight hexadecimal digits, `x` for any in a repeating group; or `private`, for every private attribute.
    name : str
        The attribute's name.
    in_standard_iod : bool
        Whether a standard composite IOD has it; of others the table says nothing but that they go.
    basic : str
        The Basic Profile's code: X, Z, D, U or a conditional one.
    codes : mapping of str to str
        The codes of the Options that have one, K or C, by the Option's name.
    """

    tag: str
    name: str
    in_standard_iod: bool
    basic: str
    codes: Mapping[str, str]

    @property
    def is_one_attribute(self) -> bool:
        """Whether it speaks of one attribute, not of a repeating group or of all private ones."""
        return "x" not in self.tag and self.tag != "private"

    @property
    def number(self) -> int:
        """The tag as a number, of a row that speaks of one attribute."""
        return int(self.tag, 16)

    @property
    def written_tag(self) -> str:
        """As the Standard writes it: `(0010,0010)`, `(60xx,4000)`."""
        return f"({self.tag[:4]},{self.tag[4:]})" if self.tag != "private" else "(gggg,eeee), gggg odd"


@dataclass(frozen=True, slots=True)
class Table:
    """The rows in order of their tags, and the edition that they are of."""

    edition: str
    rows: tuple[ProfileRow, ...]


def read_rows(text: str) -> Table:
    """The table from the text of its file."""
    about, _, *lines = text.splitlines()
    return Table(about.partition("edition ")[2].partition(";")[0], tuple(map(_row, lines)))


def _row(line: str) -> ProfileRow:
    tag, name, in_standard_iod, basic, *codes = line.split("\t")
    by_option = {option: code for option, code in zip(COLUMNS[1:], codes, strict=False) if code}
    return ProfileRow(tag, name, in_standard_iod == "Y", basic, by_option)


@cache
def table() -> Table:
    """The table that is shipped."""
    return read_rows(ROWS_FILE.read_text("utf-8"))
