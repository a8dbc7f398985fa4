"""A read-only file system for DuckDB that offers a fixed set of files under names of its own."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import get_ident
from typing import Any

from fsspec import AbstractFileSystem


class SharedFile:
    """A file that several threads read through one object, each at a position of its own.

    DuckDB calls `seek` and then `read` from threads that share the object. With one shared position, a thread that
    seeks between another's two calls would make it read the wrong bytes.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._positions: dict[int, int] = {}

    def seek(self, offset: int) -> int:
        """Set this thread's position and return it."""
        self._positions[get_ident()] = offset  # not threading.local: Python forgets DuckDB's threads after a call
        return offset

    def tell(self) -> int:
        """Return this thread's position."""
        return self._positions.get(get_ident(), 0)

    def read(self, size: int) -> bytes:
        """Read exactly `size` bytes. Fewer are an error, because DuckDB would use what its buffer held before."""
        blocks = []
        while size > 0:
            block = os.pread(self._file.fileno(), size, self.tell())
            if not block:
                raise EOFError
            self.seek(self.tell() + len(block))
            size -= len(block)
            blocks.append(block)
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    def close(self) -> None:
        self._file.close()


class ReadOnlyFiles(AbstractFileSystem):  # type: ignore[misc]
    """Offers the n-th path as `warehouse://n.parquet`; DuckDB finds this class by the protocol in the name.

    Parameters
    ----------
    paths : Sequence of Path
        The files that can be read; there are no others.
    """

    protocol = "warehouse"
    cachable = False  # fsspec would otherwise return an earlier object for equal arguments

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__()
        self._paths = {f"{self.protocol}://{number}.parquet": path for number, path in enumerate(paths)}

    @property
    def names(self) -> list[str]:
        """Return the names, in the order of the paths."""
        return list(self._paths)

    def open(self, path: str, mode: str = "rb", **_: Any) -> SharedFile:
        """Open a file for reading; other modes are refused."""
        if mode != "rb":
            raise OSError(errno.EROFS, "read-only")
        return SharedFile(self._path(path))

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Return a file's size and type in fsspec's form."""
        return {"name": path, "type": "file", "size": self._path(path).stat().st_size}

    def modified(self, path: str) -> datetime:
        """Return the time of the file's last change."""
        return datetime.fromtimestamp(self._path(path).stat().st_mtime, UTC)

    def glob(self, path: str, **_: Any) -> list[str]:
        """Return the name itself if it exists; `*` has no special meaning."""
        return [path] if path in self._paths else []

    def _path(self, name: str) -> Path:
        if name not in self._paths:
            raise FileNotFoundError(errno.ENOENT, "no such file")
        return self._paths[name]
