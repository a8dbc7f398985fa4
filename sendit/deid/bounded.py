"""A cache of bounded size. Hostile files bring ever new keys, so a cache that outlives an image has a bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Bounded(dict[K, V]):
    """Computes the value of a key once, and forgets everything when it is full.

    Real files use few keys, so that a cache is full only where somebody fills it. It is then not worth keeping account
    of which keys were used last: a look-up must cost no more than that of a dict.

    Parameters
    ----------
    compute : callable
        The value of a key that is not there.
    most : int
        How many keys are held.
    """

    __slots__ = ("_compute", "_most")

    def __init__(self, compute: Callable[[K], V], most: int) -> None:
        self._compute, self._most = compute, most

    def __missing__(self, key: K) -> V:
        value = self._compute(key)
        if len(self) >= self._most:
            self.clear()
        self[key] = value
        return value
