"""multipart/related bodies (RFC 2387, PS3.18 section 8.6), read as a stream: no part is ever held as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

CHUNK = 256 * 1024
LONGEST_HEAD = 16 * 1024
"""Bytes of a part's header."""

_PARAMETER = re.compile(r';\s*([\w!#$%&\'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s"]+))')
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")


class BadMultipart(Exception):
    """The body is no multipart body of the boundary that was announced."""


def media_type(header: str) -> tuple[str, dict[str, str]]:
    """Return the media type of a Content-Type header in lower case, and its parameters."""
    kind, _, _ = header.partition(";")
    found = {
        name.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
        for name, quoted, plain in _PARAMETER.findall(header)
    }
    return kind.strip().lower(), found


class Body:
    """A body that is being read.

    Parameters
    ----------
    read : callable
        Returns up to so many bytes; empty at the end.
    boundary : str
    """

    def __init__(self, read: Callable[[int], bytes], boundary: str) -> None:
        if not _BOUNDARY.fullmatch(boundary):
            raise BadMultipart
        self._read = read
        self._delimiter = b"\r\n--" + boundary.encode()
        self._held = b"\r\n"  # so that the first boundary is like the others

    def parts(self) -> Iterator[tuple[dict[str, str], Iterator[bytes]]]:
        """Yield the header and the pieces of each part; the pieces are to be read before the next part is asked for."""
        for _ in self._until_delimiter():
            pass  # a preamble
        while not self._is_last():
            header = self._header()
            pieces = self._until_delimiter()
            yield header, pieces
            for _ in pieces:
                pass

    def _more(self) -> None:
        piece = self._read(CHUNK)
        if not piece:
            raise BadMultipart
        self._held += piece

    def _until_delimiter(self) -> Iterator[bytes]:
        """Yield what comes before the next delimiter, and step over it."""
        keep = len(self._delimiter) - 1
        while (found := self._held.find(self._delimiter)) < 0:
            if len(self._held) > keep:
                yield self._held[: len(self._held) - keep]
                self._held = self._held[len(self._held) - keep :]
            self._more()
        if found:
            yield self._held[:found]
        self._held = self._held[found + len(self._delimiter) :]

    def _is_last(self) -> bool:
        """Return whether the delimiter was the closing one; otherwise step over its line's end."""
        while len(self._held) < 2:
            self._more()
        if self._held.startswith(b"--"):
            return True
        while (end := self._held.find(b"\r\n")) < 0 and len(self._held) < LONGEST_HEAD:
            self._more()
        if end < 0 or self._held[:end].strip(b" \t"):
            raise BadMultipart
        self._held = self._held[end:]
        return False

    def _header(self) -> dict[str, str]:
        """Read a part's header fields; their names are in lower case."""
        while (end := self._held.find(b"\r\n\r\n")) < 0:
            if len(self._held) > LONGEST_HEAD:
                raise BadMultipart
            self._more()
        lines = self._held[:end].decode("latin-1").split("\r\n")
        self._held = self._held[end + 4 :]
        fields = (line.partition(":") for line in lines if line)
        return {name.strip().lower(): value.strip() for name, _, value in fields}
