"""What may be done to an element, as the rewriting walk dispatches on it. Knows neither recipes nor levels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from sendit.deid.vendors.places import places_slices

DROP, VALUE, COPY, SEQUENCE, CALL, CHARSET, BULK, PRIVATE, CREATOR, END, STRETCH = range(11)
"""What a `Deed` is, by the engine's dispatch; the two commonest first."""

FORM = "FORM"
"""The `action` of a Deed that changes or takes away a value for what it is, and not because a rule says so."""

REPAIR = "REPAIR"
"""The `action` of a Deed for what could not be read as it stood."""

MEMO_ENTRIES, MEMO_VALUE_BYTES = 4096, 512


class Job(Protocol):
    """What a `func:` of a recipe may ask for: the image at hand as a pydicom Dataset, read when first wanted."""

    def dataset(self) -> Any:
        """The image's header as a Dataset, without pixel data."""
        ...


class Memo(dict[bytes, "bytes | None"]):
    """Encoded value in, encoded element out; None where nothing changes and b"" where it goes. Forgets when full."""

    __slots__ = ("work",)

    def __init__(self, work: Callable[[bytes], bytes | None]) -> None:
        self.work = work

    def __missing__(self, value: bytes) -> bytes | None:
        result = self.work(value)
        if len(value) <= MEMO_VALUE_BYTES:
            if len(self) >= MEMO_ENTRIES:
                self.clear()
            self[value] = result
        return result


class Latest:
    """Work on values too long for a `Memo`: what the last one became is remembered, for a series repeats it."""

    __slots__ = ("_result", "_value", "_work")

    def __init__(self, work: Callable[[bytes], bytes | None]) -> None:
        self._work = work
        self._value: bytes | None = None
        self._result: bytes | None = None

    def __call__(self, value: bytes) -> bytes | None:
        if value != self._value:
            self._result, self._value = self._work(value), value
        return self._result


class Deed:
    """What is done to the elements of one key: `kind`, and what that kind needs.

    `path` is the tags of the sequences around them, and `action` the recipe's word for it or FORM; "" where neither is.
    """

    __slots__ = ("_removal", "action", "call", "kind", "long", "loses_places", "memo", "path", "tag", "vr")

    def __init__(
        self,
        kind: int,
        tag: int,
        vr: str,
        long: bool,
        memo: Memo | None = None,
        call: Callable[[bytes, Job], bytes | None] | None = None,
    ) -> None:
        self.kind, self.tag, self.vr, self.long = kind, tag, vr, long
        self.memo, self.call = memo, call
        self.path: tuple[int, ...] = ()
        self.action = ""
        self.loses_places = kind == DROP and places_slices(tag)
        self._removal: Deed | None = None

    @property
    def removal(self) -> Deed:
        """The deed of an element that went, where this one decides by its value."""
        if self._removal is None:
            self._removal = Deed(DROP, self.tag, self.vr, self.long)
            self._removal.path = self.path
            self._removal.action = FORM if self.action == FORM else "REMOVE"
        return self._removal


def repair(path: tuple[int, ...], tag: int) -> Deed:
    """The Deed of an element that was read otherwise than it stood there, emptied, or left out."""
    deed = Deed(DROP, tag, "", long=False)
    deed.path, deed.action, deed.loses_places = path, REPAIR, False
    return deed
