"""The rows of the warehouse study by study, a few at a time, whichever warehouse it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sendit.ports import Warehouse

AT_A_TIME = 200
"""Studies whose rows are held in memory."""

Row = dict[str, Any]


def series_rows(warehouse: Warehouse, columns: Sequence[str]) -> Iterator[Row]:
    """Yield a row for each series, with these columns of the view `series`, by study."""
    for studies in _studies(warehouse):
        order = "ORDER BY CodedAccessionNumberID, SeriesNumber, SeriesInstanceUID"
        yield from _rows(warehouse, "series", columns, studies, order)


def studies_with_instances(
    warehouse: Warehouse, series: Sequence[str], instance: Sequence[str]
) -> Iterator[tuple[list[Row], list[Row]]]:
    """Yield, for each study, its rows of `series` and of `instance` with these columns, in the order of numbers."""
    key, order = "CodedAccessionNumberID", "ORDER BY CodedAccessionNumberID, SeriesInstanceUID"
    for studies in _studies(warehouse):
        found: dict[str, tuple[list[Row], list[Row]]] = {}
        for row in _rows(
            warehouse, "series", (key, *series), studies, f"ORDER BY {key}, SeriesNumber, SeriesInstanceUID"
        ):
            found.setdefault(row[key], ([], []))[0].append(row)
        for row in _rows(warehouse, "instance", (key, *instance), studies, f"{order}, InstanceNumber, SOPInstanceUID"):
            found.setdefault(row[key], ([], []))[1].append(row)
        yield from found.values()


def _studies(warehouse: Warehouse) -> Iterator[list[str]]:
    """Yield the pseudonyms of all studies, some at a time."""
    last = ""
    while True:
        sql = (
            "SELECT DISTINCT CodedAccessionNumberID FROM dicom"
            f" WHERE CodedAccessionNumberID > {_text(last)} ORDER BY CodedAccessionNumberID LIMIT {AT_A_TIME}"
        )
        studies = [str(row[0]) for row in warehouse.query(sql).rows]
        if not studies:
            return
        yield studies
        last = studies[-1]


def _rows(warehouse: Warehouse, table: str, columns: Sequence[str], studies: Sequence[str], order: str) -> list[Row]:
    names = ", ".join(map(_text, studies))
    sql = f"SELECT {', '.join(columns)} FROM {table} WHERE CodedAccessionNumberID IN ({names}) {order}"
    return [dict(zip(columns, row, strict=True)) for row in warehouse.query(sql).rows]


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
