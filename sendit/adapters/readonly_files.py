"""A file system for DuckDB that holds some files under names of its own, and cannot write."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from fsspec import AbstractFileSystem


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

    def open(self, path: str, mode: str = "rb", **_: Any) -> BinaryIO:
        """Open a file for reading; any other mode is refused."""
        if mode != "rb":
            raise OSError(errno.EROFS, "read-only")
        return self._path(path).open("rb")

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
