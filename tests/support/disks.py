"""A disk that is soon full: a small tmpfs."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connections

LIBC = ctypes.CDLL(None, use_errno=True)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A tmpfs of that size; the test fails, and says why, where one may not be mounted."""
    folder.mkdir(exist_ok=True)
    if LIBC.mount(b"tmpfs", bytes(folder), b"tmpfs", 0, f"size={size}".encode()):
        pytest.fail(
            f"this test fills a tmpfs, and may not mount one: {os.strerror(ctypes.get_errno())}; run it as root"
        )
    try:
        yield
    finally:
        connections.close_all()
        LIBC.umount2(bytes(folder), 2)


def enlarge(folder: Path, size: str) -> None:
    remount = 32
    assert LIBC.mount(b"tmpfs", bytes(folder), b"tmpfs", remount, f"size={size}".encode()) == 0
