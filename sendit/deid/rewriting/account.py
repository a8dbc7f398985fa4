"""An account of what was done to the elements of many images: how often, by attribute and by the recipe's word for it.

It names tags and actions, never a value, and so nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydicom.datadict import keyword_for_tag

from sendit.deid.rewriting.actions import ElementAction
from sendit.deid.rewriting.shared_runs import SharedRun

MOST_ACTIONS, MOST_PLACES = 2_000, 10_000
"""What is held apart; beyond it, hostile files bring ever new places, and the rest is counted together."""
PRIVATE, ELSEWHERE = "private elements", "elsewhere"


@dataclass(frozen=True, slots=True, order=True)
class Done:
    """How many elements of one place were dealt with in one way.

    `place` is an attribute's tag, with those of the sequences around it, as in (0040,0275)(0008,1030); all private
    elements are one place.
    """

    place: str
    keyword: str
    action: str
    count: int


class Account:
    """Counts what was done to images, one after the other."""

    def __init__(self) -> None:
        self._actions: Counter[ElementAction] = Counter()
        self._places: Counter[tuple[tuple[int, ...], str]] = Counter()

    def add(self, actions: Iterable[ElementAction]) -> None:
        """Count the actions of one image in."""
        self._actions.update(actions)
        if len(self._actions) > MOST_ACTIONS:
            self._settle()

    def rows(self) -> list[Done]:
        """What was done, by place and action."""
        self._settle()
        named: Counter[tuple[str, str, str]] = Counter()
        for (tags, action), count in self._places.items():
            named[_place(tags), keyword_for_tag(tags[-1]) if tags and not _is_private(tags) else "", action] += count
        return sorted(Done(place, keyword, action, count) for (place, keyword, action), count in named.items())

    def _settle(self) -> None:
        """Turn the counted actions into places; a shared run stands for all that was done in it."""
        for done, count in self._actions.items():
            for each in _parts(done):
                key = ((*each.path, each.tag), each.action)
                if key not in self._places and len(self._places) >= MOST_PLACES:
                    key = ((), each.action)
                self._places[key] += count
        self._actions.clear()


def _parts(done: ElementAction) -> Iterator[ElementAction]:
    """What an action stands for. Group lengths and padding are left out: no rule removes them."""
    return (each for each in (done.actions if isinstance(done, SharedRun) else (done,)) if each.action)


def _is_private(tags: tuple[int, ...]) -> bool:
    return any(tag >> 16 & 1 for tag in tags)


def _place(tags: tuple[int, ...]) -> str:
    if not tags:
        return ELSEWHERE
    return PRIVATE if _is_private(tags) else "".join(f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in tags)
