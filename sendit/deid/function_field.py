"""What a `func:` function of a recipe gets to know of the element at hand."""

from __future__ import annotations

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement

from sendit.deid.stream import values
from sendit.deid.stream.encodings import Encoding
from sendit.deid.stream.values import Charset


class FunctionField:
    """The element, under the names that the `deid` package gives it.

    Attributes
    ----------
    name : str
        The keywords from the outermost sequence inwards, joined by "__".
    uid : str
        The tags likewise.
    element : pydicom.DataElement
    """

    def __init__(
        self, path: tuple[int, ...], tag: int, vr: str, raw: bytes, encoding: Encoding, encodings: Charset
    ) -> None:
        self.tag = tag
        self._path, self._vr, self._raw, self._encoding, self._encodings = path, vr, raw, encoding, encodings

    @property
    def name(self) -> str:
        return "__".join(keyword_for_tag(tag) for tag in (*self._path, self.tag))

    @property
    def uid(self) -> str:
        return "__".join(f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in (*self._path, self.tag))

    @property
    def element(self) -> DataElement:
        found = values.read_values(self._raw, self._vr, self._encoding.order, self._encodings)
        return DataElement(self.tag, self._vr, found[0] if len(found) == 1 else list(found) or None)
