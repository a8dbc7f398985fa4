"""Bytes that come in pieces, as a stream."""

from __future__ import annotations

from collections.abc import Iterable


class Chunks:
    """A stream that gives its bytes chunk by chunk."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._held = iter(chunks), b""

    def readinto(self, buffer: memoryview) -> int:
        self._held = self._held or next(self._chunks, b"")
        part, self._held = self._held[: len(buffer)], self._held[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)
