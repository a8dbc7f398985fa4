"""Thrift's compact protocol, as far as the headers and footers of Parquet files use it. Knows no Parquet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12
_LONG_LIST = 15

Field = tuple[int, int, Any]
"""Field id, type and value; a struct's value is its Fields with ids ascending, a list's (element type, elements)."""


def encode(fields: Sequence[Field]) -> bytes:
    """A struct's bytes."""
    out, last = bytearray(), 0
    for number, kind, value in fields:
        out.append(number - last << 4 | kind)
        out += _encoded(kind, value)
        last = number
    return bytes(out) + b"\0"


def varint(number: int) -> bytes:
    """A number >= 0, seven bits a byte, the low ones first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def _encoded(kind: int, value: Any) -> bytes:
    if kind in (TRUE, FALSE):
        return b""
    if kind in (I32, I64):
        return varint(value << 1 if value >= 0 else ~(value << 1))
    if kind == BINARY:
        return varint(len(value)) + bytes(value)
    return _encoded_list(*value) if kind == LIST else encode(value)


def _encoded_list(kind: int, elements: Sequence[Any]) -> bytes:
    size = len(elements)
    head = bytes([min(size, _LONG_LIST) << 4 | kind]) + (varint(size) if size >= _LONG_LIST else b"")
    return head + b"".join([_encoded(kind, element) for element in elements])


def decode(encoded: bytes) -> dict[int, Any]:
    """A struct as {field id: value}, whatever its fields mean; ValueError where the bytes are no struct."""
    try:
        return _struct(BytesIO(encoded))
    except (IndexError, KeyError, RecursionError):
        raise ValueError("no struct in Thrift's compact protocol") from None


def _struct(stream: BytesIO) -> dict[int, Any]:
    fields: dict[int, Any] = {}
    number = 0
    while head := _byte(stream):
        number = number + (head >> 4) if head >> 4 else _zigzag(stream)
        fields[number] = _READ[head & 0x0F](stream)
    return fields


def _byte(stream: BytesIO) -> int:
    return stream.read(1)[0]


def _number(stream: BytesIO) -> int:
    number = shift = 0
    while (byte := _byte(stream)) & 0x80:
        number |= (byte & 0x7F) << shift
        shift += 7
    return number | byte << shift


def _zigzag(stream: BytesIO) -> int:
    number = _number(stream)
    return number >> 1 ^ -(number & 1)


def _binary(stream: BytesIO) -> bytes:
    return stream.read(_number(stream))


def _list(stream: BytesIO) -> list[Any]:
    head = _byte(stream)
    size = head >> 4 if head >> 4 < _LONG_LIST else _number(stream)
    kind = head & 0x0F
    read = _byte if kind in (TRUE, FALSE) else _READ[kind]  # in a list a truth has a byte, in a struct it has none
    return [read(stream) for _ in range(size)]


_READ: Mapping[int, Callable[[BytesIO], Any]] = {
    TRUE: lambda stream: True,
    FALSE: lambda stream: False,
    BYTE: _byte,
    I16: _zigzag,
    I32: _zigzag,
    I64: _zigzag,
    DOUBLE: lambda stream: stream.read(8),
    BINARY: _binary,
    LIST: _list,
    SET: _list,
    STRUCT: _struct,
}
