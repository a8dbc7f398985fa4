"""Cohorts: CSV files with the studies that are wanted, one a line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sendit.errors import Misconfigured

BY_ACCESSION, BY_PATIENT = ("AccessionNumber",), ("PatientID", "StudyDate")
WILD = re.compile(r"[*?\\]")
DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")


@dataclass(frozen=True, slots=True, repr=False)
class Wanted:
    """What a line of a cohort names; by keyword, values of PS3.4 single value matching."""

    keys: tuple[tuple[str, str], ...]

    @property
    def identity(self) -> bytes:
        """The bytes by which the line is recognised."""
        return "\0".join(part for key in self.keys for part in key).encode()


def read_cohort(path: Path) -> list[Wanted]:
    """Read a cohort; a line that is there twice counts once.

    The first line names the columns: `AccessionNumber`, or `PatientID` and `StudyDate` (YYYYMMDD or YYYY-MM-DD). Case,
    spaces and underscores do not matter, and other columns are left alone.

    Raises
    ------
    Misconfigured
        `BadCohort`, with the number of the line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            return parse_cohort(stream)
    except OSError:
        raise Misconfigured("BadCohort", subject="the file cannot be read") from None


def parse_cohort(lines: Iterable[str]) -> list[Wanted]:
    """Read the lines of a cohort. Raises as `read_cohort` does."""
    try:
        rows = csv.DictReader(lines)
        columns = {_plain(name): name for name in rows.fieldnames or ()}
        wanted = [_wanted(row, columns, rows.line_num) for row in rows if any(filter(None, row.values()))]
    except (UnicodeDecodeError, csv.Error):
        raise Misconfigured("BadCohort", subject="the file is not CSV in UTF-8") from None
    if not wanted:
        raise Misconfigured("BadCohort", subject="no line")
    return list(dict.fromkeys(wanted))


def _plain(name: str) -> str:
    return re.sub(r"[\s_]", "", name).lower()


def _wanted(row: Mapping[str, str | None], columns: Mapping[str, str], line: int) -> Wanted:
    for keywords in (BY_ACCESSION, BY_PATIENT):
        if all(_plain(keyword) in columns for keyword in keywords):
            values = [(row[columns[_plain(keyword)]] or "").strip() for keyword in keywords]
            break
    else:
        raise Misconfigured("BadCohort", subject="columns AccessionNumber, or PatientID and StudyDate, are expected")
    if not all(values) or any(WILD.search(value) or not value.isprintable() for value in values):
        raise Misconfigured("BadCohort", subject=f"line {line}: a value is blank, or has a wild card")
    return Wanted(tuple(zip(keywords, _with_date(keywords, values, line), strict=True)))


def _with_date(keywords: tuple[str, ...], values: list[str], line: int) -> list[str]:
    if "StudyDate" not in keywords:
        return values
    date = DATE.fullmatch(values[-1])
    if not date:
        raise Misconfigured("BadCohort", subject=f"line {line}: StudyDate is not a date")
    return [*values[:-1], "".join(date.groups())]
