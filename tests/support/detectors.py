"""Detectors for tests, which the detector's process loads by name: no model, and each of them does one thing."""

from __future__ import annotations

import os
from typing import Any

from sendit.deid.burned_in.record import Box

WHITE = 200


class FindsWhite:
    """Finds the one rectangle around all pixels that are nearly white, if it is one and not noise."""

    name = "white 1"

    def boxes(self, picture: Any, *, thorough: bool) -> list[Box]:
        rows, columns = (picture.min(axis=2) >= WHITE).nonzero()
        if not len(rows):
            return []
        box = Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
        return [box] if len(rows) >= 0.9 * box.area else []

    def is_legible(self, picture: Any, box: Box) -> bool:
        return True


class ReadsALength(FindsWhite):
    """Takes the rectangle for a measured length."""

    def read(self, picture: Any, box: Box) -> tuple[str, float]:
        return "15 mm", 0.95


class ReadsAName(FindsWhite):
    def read(self, picture: Any, box: Box) -> tuple[str, float]:
        return "NG 15 mm", 0.99


class ReadsDoubtfully(FindsWhite):
    def read(self, picture: Any, box: Box) -> tuple[str, float]:
        return "15 mm", 0.6


class FindsNothing(FindsWhite):
    def boxes(self, picture: Any, *, thorough: bool) -> list[Box]:
        return []


class FindsEverywhere(FindsWhite):
    """Always finds another rectangle."""

    _count = 0

    def boxes(self, picture: Any, *, thorough: bool) -> list[Box]:
        self._count += 1
        return [Box(0, self._count * 8, 8, self._count * 8 + 8)]


class Dies(FindsWhite):
    def boxes(self, picture: Any, *, thorough: bool) -> list[Box]:
        os._exit(1)


class DiesAtOnce(FindsWhite):
    def __init__(self) -> None:
        os._exit(1)
