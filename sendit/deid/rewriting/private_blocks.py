"""Private blocks of a dataset while it is rewritten (PS3.5 7.8.1): a Private Creator stays only with its elements."""

from __future__ import annotations


class PrivateCreator:
    """A Private Creator's element; `used` once an element of its block is passed on, and only then is it written."""

    __slots__ = ("encoded", "name", "tag", "used")

    def __init__(self, tag: int, encoded: bytes, name: str) -> None:
        self.tag, self.encoded, self.name, self.used = tag, encoded, name, False

    @property
    def block_end(self) -> int:
        """The last tag of its block."""
        return self.tag & 0xFFFF0000 | (self.tag & 0xFF) << 8 | 0xFF

    def unused(self) -> PrivateCreator:
        """A copy for another dataset, none of whose elements needs it yet."""
        return PrivateCreator(self.tag, self.encoded, self.name)


Creators = dict[int, PrivateCreator]
"""The Private Creators of one dataset, by tag."""
Blocks = tuple[tuple[int, str | None, bool], ...]
"""Private blocks: the Private Creator's tag, its name (None where it is absent), whether an element of it stays."""


def are_in(blocks: Blocks, creators: Creators) -> bool:
    """Whether a dataset has these private blocks under the same names; those that are used are then used in it too."""
    for tag, name, _ in blocks:
        creator = creators.get(tag)
        if (None if creator is None else creator.name) != name:
            return False
    for tag, _, used in blocks:
        if used:
            creators[tag].used = True
    return True
