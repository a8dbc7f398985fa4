"""Identified data has a type and no voice: `Phi` holds a value that never prints by accident."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Phi(Generic[T]):
    """A value that identifies a person. `reveal()` is the one way to it; repr, str and format say nothing."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """The value itself. Every call is a place a privacy officer may ask about."""
        return self._value

    def __repr__(self) -> str:
        return "Phi(…)"

    def __format__(self, spec: str) -> str:
        return "Phi(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Phi) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)
