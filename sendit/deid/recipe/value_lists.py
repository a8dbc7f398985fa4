"""The %values lists of a recipe: which elements feed a list, and the terms that one image's values make of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydicom.multival import MultiValue

from sendit.deid.recipe.addresses import Address, Field
from sendit.deid.recipe.selectors import Selector
from sendit.deid.stream.datasets import UNREADABLE, quiet
from sendit.deid.stream.tags import PIXEL_DATA_TAGS, creator_of, effective_vr
from sendit.errors import DataFault

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass(frozen=True, slots=True)
class ValuesSource:
    """One line of a %values list: which elements feed it, and how their values become its terms.

    `by` is None for FIELD, which takes each value whole; SPLIT cuts at `by` and drops what is shorter than `minlength`.
    """

    selector: Selector
    by: str | None = None
    minlength: int = 1

    def terms(self, values: Iterable[str]) -> Iterator[str]:
        """The terms that an element's values make."""
        for value in values:
            parts = (value,) if self.by is None else value.split(self.by)
            yield from (part for part in parts if len(part) >= self.minlength)


ValuesLists = Mapping[str, tuple[ValuesSource, ...]]


def extract_values(dataset: Dataset, lists: ValuesLists) -> dict[str, frozenset[str]]:
    """The terms of each list in one image's dataset; DataFault where a value that feeds one cannot be read."""
    terms: dict[str, set[str]] = {name: set() for name in lists}
    for address, elements in _addresses(dataset, ()):
        for name, sources in lists.items():
            for source in sources:
                if source.selector.matches(address):
                    terms[name].update(source.terms(_values(elements, address.field.tag)))
    return {name: frozenset(found) for name, found in terms.items()}


def _addresses(dataset: Dataset, path: tuple[int, ...]) -> Iterator[tuple[Address, Dataset]]:
    for tag in map(int, dataset.keys()):
        vr = effective_vr(tag, dataset.get_item(tag).VR or "")
        if tag in PIXEL_DATA_TAGS:
            continue
        if vr == "SQ":
            for item in _read(dataset, tag) or ():
                yield from _addresses(item, (*path, tag))
        else:
            yield Address(Field(path, tag, vr, _creator(dataset, tag))), dataset


def _creator(dataset: Dataset, tag: int) -> str | None:
    """The Private Creator of a private element's block (PS3.5 7.8.1)."""
    creator = creator_of(tag)
    return str(_read(dataset, creator)).strip() if creator and creator in dataset else None


def _values(dataset: Dataset, tag: int) -> list[str]:
    value = _read(dataset, tag)
    several = value if isinstance(value, MultiValue | list | tuple) else [value]
    return [text for text in (str(part).strip() for part in several if part is not None) if text]


def _read(dataset: Dataset, tag: int) -> Any:
    try:
        with quiet():
            return dataset[tag].value
    except UNREADABLE:
        raise DataFault("BadElement", tag=tag) from None
