"""A file system for DuckDB that holds some files under names of its own, and cannot write."""

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
    """A file that several threads read through one object, each from the place that it sought.

    DuckDB reads at a place by `seek` and then `read`, from threads that share the object. With one position for all, a
    thread that seeks between these two calls would let the other read its bytes.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._positions: dict[int, int] = {}

    def seek(self, offset: int) -> int:
        """Set this thread's position."""
        self._positions[get_ident()] = offset  # a threading.local is lost: Python knows DuckDB's threads for one call
        return offset

    def tell(self) -> int:
        """This thread's position."""
        return self._positions.get(get_ident(), 0)

    def read(self, size: int) -> bytes:
        """So many bytes. Fewer are an error: DuckDB would take what its buffer held before for the file's."""
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
        """Give the file back."""
        self._file.close()


class ReadOnlyFiles(AbstractFileSystem):  # type: ignore[misc]
    """Holds the n-th path as `warehouse://n.parquet`; DuckDB finds this class by the protocol in the name.

    Parameters
    ----------
    paths : Sequence of Path
        All the files that can be read.
    """

    protocol = "warehouse"
    cachable = False  # fsspec would otherwise return an earlier object for equal arguments

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__()
        self._paths = {f"{self.protocol}://{number}.parquet": path for number, path in enumerate(paths)}

    @property
    def names(self) -> list[str]:
        """The names, in the order of the paths."""
        return list(self._paths)

    def open(self, path: str, mode: str = "rb", **_: Any) -> SharedFile:
        """Open a file for reading; any other mode is refused."""
        if mode != "rb":
            raise OSError(errno.EROFS, "read-only")
        return SharedFile(self._path(path))

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Size and kind, as fsspec has them."""
        return {"name": path, "type": "file", "size": self._path(path).stat().st_size}

    def modified(self, path: str) -> datetime:
        """The time of the file's last change."""
        return datetime.fromtimestamp(self._path(path).stat().st_mtime, UTC)

    def glob(self, path: str, **_: Any) -> list[str]:
        """The name itself: `*` stands for nothing."""
        return [path] if path in self._paths else []

    def _path(self, name: str) -> Path:
        if name not in self._paths:
            raise FileNotFoundError(errno.ENOENT, "no such file")
        return self._paths[name]
