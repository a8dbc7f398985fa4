"""Names that every object store can keep: relative paths of plain parts, which cannot leave the root."""

from __future__ import annotations

from sendit.errors import BrokenPromise

LONGEST_NAME_BYTES = 1024
LONGEST_PART_BYTES = 200


def plain(name: str) -> str:
    """Return the name if it is valid.

    Raises
    ------
    BrokenPromise
        `ObjectName`: the name is not a relative path of plain parts.
    """
    parts = name.split("/")
    if not all(map(_is_plain, parts)) or len(name.encode("utf-8", "replace")) > LONGEST_NAME_BYTES:
        raise BrokenPromise("ObjectName")
    return name


def _is_plain(part: str) -> bool:
    short = 0 < len(part.encode("utf-8", "replace")) <= LONGEST_PART_BYTES
    return short and part.isprintable() and not part.startswith(".")
