"""What can be done to an element, as the rewriting loops dispatch on it. Knows neither recipes nor files."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Protocol

from sendit.deid.bounded import Bounded
from sendit.deid.stream.repairs import RepairKind
from sendit.deid.vendors.places import places_slices


class ActionKind(IntEnum):
    """The ways in which the rewriting treats an element. What each needs stands in `ElementAction`."""

    DROP = 0
    """The element is removed, whatever its value is."""
    VALUE = 1
    """The value alone decides what becomes of the element, so the result can be cached."""
    COPY = 2
    """The element is copied. Only elements in long form need this; one in short form has no action at all."""
    SEQUENCE = 3
    """The items are rewritten one by one."""
    CALL = 4
    """A function of the recipe decides. It sees the whole image, so the result cannot be cached."""
    CHARSET = 5
    """Specific Character Set: it is copied, and what follows is read in it."""
    BULK = 6
    """Pixel data at the root: it is passed on as a range of the source."""
    PRIVATE = 7
    """A private element: its block's Private Creator decides."""
    CREATOR = 8
    """A Private Creator: it is passed on if an element of its block is."""
    END = 9
    """The delimiter of an item or a sequence, which is no element."""
    SHARED_RUN = 10
    """The beginning of a run of elements that the images of a study share (see `shared_runs`)."""
    BYTES = 11
    """A value of bytes: it is copied, however long it is, unless its beginning says that it is none."""


DROP, VALUE, CALL = ActionKind.DROP, ActionKind.VALUE, ActionKind.CALL

FORM = "FORM"
"""The `action` of an ElementAction that changes or removes a value for what it is, and not because a rule says so."""

REPAIR = "REPAIR_"
"""What the `action` of an ElementAction begins with for what could not be read as it stood; its kind follows."""

EMPTIED = "EMPTIED"
"""The `action` of an ElementAction for a value in which an identifier was found when the output was proven."""

CACHED_VALUES, CACHED_VALUE_BYTES = 4096, 512


class ImageAtHand(Protocol):
    """The image that is being rewritten, for the `func:` functions of a recipe."""

    def dataset(self) -> Any:
        """The image's header as a pydicom Dataset without pixel data; it is read when this is first called."""
        ...


class ValueCache(Bounded[bytes, "bytes | None"]):
    """Maps an encoded value to the encoded element that it becomes: None if unchanged, b"" if the element is removed.

    Long values are computed each time: they would fill the memory, and they rarely repeat.
    """

    __slots__ = ("remembers",)

    def __init__(self, compute: Callable[[bytes], bytes | None]) -> None:
        super().__init__(compute, CACHED_VALUES)
        self.remembers: Callable[[], bool] = _always
        """Whether one more may be remembered; it is counted, and the image may be TooLarge then."""

    def __missing__(self, value: bytes) -> bytes | None:
        remembered = self.remembers() and len(value) <= CACHED_VALUE_BYTES
        return super().__missing__(value) if remembered else self._compute(value)


def _always() -> bool:
    return True


class LatestValue:
    """Computes what becomes of values too long for a `ValueCache`, and keeps the latest, which a series repeats."""

    __slots__ = ("_compute", "_result", "_value")

    def __init__(self, compute: Callable[[bytes], bytes | None]) -> None:
        self._compute = compute
        self._value: bytes | None = None
        self._result: bytes | None = None

    def __call__(self, value: bytes) -> bytes | None:
        if value != self._value:
            self._result, self._value = self._compute(value), value
        return self._result


class ElementAction:
    """What is done to the elements that have one encoded key.

    Attributes
    ----------
    kind : ActionKind
    tag : int
    vr : str
        The VR that rules see, or for a sequence the VR as it is written.
    long : bool
        Whether the element is written in long form, with a length of 32 bits behind two reserved bytes (PS3.5 7.1.2).
    cache : ValueCache, optional
        Of a VALUE: what its values become; of BYTES, what one with such a beginning becomes.
    call : callable, optional
        Of a CALL: what its value becomes in one image.
    path : tuple of int
        The tags of the sequences around the element, outermost first.
    action : str
        The recipe's word for it, or FORM; empty where neither applies.
    loses_places : bool
        Whether the removal can cost a mosaic the places of its slices.
    """

    __slots__ = ("_removal", "action", "cache", "call", "kind", "long", "loses_places", "path", "tag", "vr")

    def __init__(
        self,
        kind: ActionKind,
        tag: int,
        vr: str,
        long: bool,
        cache: ValueCache | None = None,
        call: Callable[[bytes, ImageAtHand], bytes | None] | None = None,
    ) -> None:
        self.kind, self.tag, self.vr, self.long = kind, tag, vr, long
        self.cache, self.call = cache, call
        self.path: tuple[int, ...] = ()
        self.action = ""
        self.loses_places = kind is DROP and places_slices(tag)
        self._removal = self if kind is DROP else None

    @property
    def removal(self) -> ElementAction:
        """The action that the account names where this one removed an element because of its value."""
        if self._removal is None:
            self._removal = ElementAction(DROP, self.tag, self.vr, self.long)
            self._removal.path = self.path
            self._removal.action = FORM if self.action == FORM else "REMOVE"
        return self._removal


def repair(path: tuple[int, ...], tag: int, kind: RepairKind) -> ElementAction:
    """The action that the account names for an element that was read otherwise than it stood, emptied, or left out."""
    return _told(path, tag, f"{REPAIR}{kind}")


def emptied(path: tuple[int, ...], tag: int) -> ElementAction:
    """The action that the account names for a value in which an identifier was found when the output was proven."""
    return _told(path, tag, EMPTIED)


def _told(path: tuple[int, ...], tag: int, word: str) -> ElementAction:
    action = ElementAction(DROP, tag, "", long=False)
    action.path, action.action, action.loses_places = path, word, False
    return action
