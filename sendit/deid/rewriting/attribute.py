"""One attribute of a dataset that is rewritten: how its values are read and written there."""

from __future__ import annotations

import re
from collections.abc import Callable

from sendit.deid.rewriting.place import DatasetPlace
from sendit.deid.stream import values
from sendit.deid.stream.tags import CLASS_UID_TAGS
from sendit.errors import DataFault

_ROOT = re.compile(r"[0-2](?:\.|$)")


class Attribute:
    """The attribute `tag`, read with the VR `vr`, at a place."""

    __slots__ = ("place", "tag", "vr")

    def __init__(self, place: DatasetPlace, tag: int, vr: str) -> None:
        self.place, self.tag, self.vr = place, tag, vr

    def read(self, raw: bytes) -> tuple[object, ...]:
        """The values as Python's."""
        return values.read_values(raw, self.vr, self.place.encoding.order, self.place.encodings)

    def write(self, value: object) -> bytes:
        """The bytes of a value. A number attribute becomes empty for what is no number, as with the `deid` package."""
        if self.vr == "SQ":
            assert isinstance(value, bytes)
            return value
        try:
            return values.encode(value, self.vr, self.place.encoding.order, self.place.encodings, self.tag)
        except DataFault:
            if self.vr in values.NUMBERS or self.vr in ("DS", "IS"):
                return b""
            raise

    def element(self, value: bytes) -> bytes:
        """The encoded element with an encoded value."""
        return self.place.encoding.write(self.tag, self.vr, value)

    def each(self, raw: bytes, change: Callable[[str], str]) -> bytes:
        """The bytes of a value, each of its parts changed."""
        self.place.study.budget.spend(len(raw))
        return self.write("\\".join(change(str(part)) for part in self.read(raw)))

    def rewritten_text(self, raw: bytes, change: Callable[[str], str]) -> bytes:
        """A text, each of its parts changed; empty where the result cannot be written in the character set."""
        encodings = self.place.encodings
        self.place.study.charge_text(len(raw), 1 if self.vr in values.SINGLE_VRS else raw.count(b"\\") + 1)
        found = values.split(values.decode(raw, self.vr, encodings), self.vr)
        changed = tuple(map(change, found))
        if changed == found and not values.is_windows(raw, encodings):
            return raw
        try:
            return self.write("\\".join(changed))
        except DataFault:
            return b""

    def pseudonym_uids(self, raw: bytes) -> bytes:
        """The pseudonyms of UIDs; of UIDs that name a class or a vocabulary, those that are well formed."""
        if self.tag not in CLASS_UID_TAGS:
            return self.each(raw, self.place.study.pseudonyms.uid)
        return self.write(self.class_uids(raw))

    def class_uids(self, raw: bytes) -> str:
        """The well-formed ones of UIDs that name a class or a vocabulary; none in which a day of the study stands."""
        days = self.place.study.own_days
        texts = (text for part in self.read(raw) if values.is_well_formed(text := str(part), "UI"))
        return "\\".join(text for text in texts if _ROOT.match(text) and not days.stand_in(text))
