"""Values that stay as they are: only where they are what their attribute holds. What is not, goes or is repaired."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydicom.datadict import dictionary_VM

from sendit.deid.recipe.profile_rules import DUMMIES
from sendit.deid.rewriting.actions import ValueCache
from sendit.deid.standard.attribute_types import OPTIONAL
from sendit.deid.standard.forms import Form


@dataclass(frozen=True, slots=True)
class KeptValue:
    """The values of one attribute that no rule changes.

    Attributes
    ----------
    form : Form, optional
        What they look like; None where they may be anything.
    content : callable, optional
        What may stay of a value that has the form.
    element : callable
        Encodes a value as an element.
    instead : callable
        The element that stands there where nothing of a value is left; b"" for none.
    padding : bytes
        What makes an odd length even.
    """

    form: Form | None
    content: Callable[[bytes], bytes] | None
    element: Callable[[bytes], bytes]
    instead: Callable[[], bytes]
    padding: bytes = b" "

    def changed(self, raw: bytes) -> bytes | None:
        """The element that a value becomes: None where it stays, b"" where it goes."""
        left = raw if self.form is None or self.form.fits(raw) else self.form.repaired(raw)
        if self.content is not None:
            left = self.content(left)
        if left == raw:
            return None
        if not left.strip(b" \0\\"):
            return self.instead()
        return self.element(left + self.padding if len(left) % 2 else left)


class FormCache(ValueCache):
    """A cache of values that mostly have their form. Those that do are not cached, for they are ever new numbers."""

    __slots__ = ("_fits",)

    def __init__(self, fits: Callable[[bytes], object], compute: Callable[[bytes], bytes | None]) -> None:
        super().__init__(compute)
        self._fits = fits

    def __missing__(self, value: bytes) -> bytes | None:
        return None if self._fits(value) else super().__missing__(value)


def dummy_of(tag: int, vr: str) -> str:
    """A legal value that says nothing, as often as the attribute must have it (PS3.6)."""
    try:
        fewest = dictionary_VM(tag).partition("-")[0]
    except KeyError:
        fewest = "1"
    dummy = _DUMMIES.get(tag) or DUMMIES.get(vr, "" if vr == "UI" else "REMOVED")
    return "\\".join([dummy] * int(fewest))


_DUMMIES = {0x00280008: "1"}
"""An image has one frame at least."""


def may_be_absent(type_: str) -> bool:
    """Whether an attribute of that Type goes where it has no value."""
    return type_ == OPTIONAL


def needs_value(type_: str) -> bool:
    """Whether an attribute of that Type has a value where it stands."""
    return type_ in ("1", "1C")
