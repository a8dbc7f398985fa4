"""The columns of the table `instance` that are attributes of the header, as the warehouse's types."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from sendit.pipeline.stages.summary import iso_date
from sendit.ports import HEADER_COLUMNS

PLANES = ("sagittal", "coronal", "axial")
"""The plane whose normal is the x, y and z axis of the patient (PS3.3 C.7.6.2.1.1)."""
OBLIQUE_BELOW = math.cos(math.radians(30))


def header_columns(attributes: Mapping[str, tuple[object, ...]]) -> dict[str, Any]:
    """Return what the attributes say, by column; a column that they do not fill is missing."""
    found = {
        name: value
        for name, convert in _CONVERT.items()
        if name in attributes and (value := convert(attributes[name])) is not None
    }
    cosines = attributes.get("ImageOrientationPatient")
    return found | {"orientation": orientation(tuple(map(str, cosines)))} if cosines else found


@lru_cache(maxsize=1024)
def orientation(cosines: tuple[str, ...]) -> str | None:
    """Return the plane of a row's and a column's direction, "oblique" for one more than 30 degrees from all three."""
    try:
        a, b, c, d, e, f = map(float, cosines)
    except ValueError:
        return None
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    length = math.hypot(*normal)
    if not length or not math.isfinite(length):
        return None
    largest = max(range(3), key=lambda axis: abs(normal[axis]))
    return PLANES[largest] if abs(normal[largest]) / length >= OBLIQUE_BELOW else "oblique"


def _text(values: tuple[object, ...]) -> str | None:
    return "\\".join(map(str, values)) or None


def _whole(values: tuple[object, ...]) -> int | None:
    try:
        return int(str(values[0]))
    except ValueError:
        return None


def _number(values: tuple[object, ...]) -> float | None:
    try:
        number = float(str(values[0]))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _day(values: tuple[object, ...]) -> str | None:
    return iso_date(str(values[0]))


_BY_TYPE: dict[str, Callable[[tuple[object, ...]], object]] = {
    "STRING": _text,
    "INT64": _whole,
    "FLOAT64": _number,
    "DATE": _day,
}
_CONVERT = {column.name: _BY_TYPE[column.type] for column in HEADER_COLUMNS}
