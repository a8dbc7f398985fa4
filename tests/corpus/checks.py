"""One check of one output, in the categories that MIDI-B scores by, and the table of how many passed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from pydicom import Dataset
from pydicom.dataelem import DataElement


class Category(StrEnum):
    """What a check is about; MIDI-B counts technical values among texts."""

    TEXT_REMOVED = "text removed"
    TEXT_RETAINED = "text retained"
    VALUE_RETAINED = "technical value retained"
    TAG_RETAINED = "tag retained"
    DATE_SHIFTED = "date shifted"
    UID_CHANGED = "UID changed"
    UID_CONSISTENT = "UID consistent"
    PATIENT_ID_CONSISTENT = "patient ID consistent"
    PIXELS_UNCHANGED = "pixels unchanged"
    NO_LEAK = "no leak in the bytes"


Private = tuple[int, str, int]
"""Group, Private Creator and element offset of a private element."""
Path = tuple[int | Private, ...]
"""Tags and item numbers in turn, outermost first."""


@dataclass(frozen=True)
class Check:
    """What must hold of the element at a path; it is asked of None where there is none."""

    category: Category
    path: Path
    what: str
    holds: Callable[[DataElement | None], bool]


def find(ds: Dataset, path: Path) -> DataElement | None:
    """The element at a path."""
    for step, number in zip(path[:-1:2], path[1:-1:2], strict=True):
        element = _child(ds, step)
        assert isinstance(number, int)
        if element is None or element.VR != "SQ" or len(element.value) <= number:
            return None
        ds = element.value[number]
    return _child(ds, path[-1])


def _child(ds: Dataset, step: int | Private) -> DataElement | None:
    if isinstance(step, int):
        return ds.get(step) if step in ds else None
    group, creator, offset = step
    try:
        return ds.private_block(group, creator)[offset]
    except KeyError:
        return None


def text_of(element: DataElement | None) -> str:
    """All that an element says, as one text."""
    if element is None or element.value is None:
        return ""
    if element.VR == "SQ":
        return "\n".join(text_of(inner) for item in element.value for inner in item.iterall() if inner.VR != "SQ")
    if isinstance(element.value, bytes):
        return element.value.decode("latin-1").rstrip("\0")
    values = element.value if element.VM > 1 else [element.value]
    return "\\".join(map(str, values))


# ---------------------------------------------------------------------------------------------- what may be asked


def removed(path: Path, *words: str) -> Check:
    """None of the words is there any more."""

    def holds(element: DataElement | None) -> bool:
        text = text_of(element).casefold()
        return not any(word.casefold() in text for word in words)

    return Check(Category.TEXT_REMOVED, path, f"without {words}", holds)


def retained(path: Path, word: str) -> Check:
    """The word is still there."""

    def holds(element: DataElement | None) -> bool:
        return word.casefold() in re.findall(r"[^\W_]+", text_of(element).casefold())

    return Check(Category.TEXT_RETAINED, path, f"with {word!r}", holds)


def same(path: Path, original: DataElement) -> Check:
    """The value is the same."""
    text = text_of(original)
    return Check(Category.VALUE_RETAINED, path, f"still {text[:40]!r}", lambda element: text_of(element) == text)


def there(path: Path) -> Check:
    """The element is there."""
    return Check(Category.TAG_RETAINED, path, "there", lambda element: element is not None)


def shifted(path: Path, original: DataElement, days: int) -> Check:
    """Every date of a DA or DT value is shifted, the time behind it is the same; an offset from UTC is gone."""
    expected = "\\".join(_later(one, days) for one in text_of(original).split("\\"))
    return Check(Category.DATE_SHIFTED, path, f"shifted to {expected!r}", lambda element: text_of(element) == expected)


def _later(text: str, days: int) -> str:
    day = datetime.strptime(text[:8], "%Y%m%d").date() + timedelta(days=days)
    return day.strftime("%Y%m%d") + re.sub(r"[+-]\d{4}$", "", text[8:])


def shifted_in_text(path: Path, day: date, form: str, days: int) -> Check:
    """A date in a text is shifted in the form that it is written in, or gone."""
    original, later = day.strftime(form), day + timedelta(days=days)
    expected = later.strftime(form)
    may = {expected, later.strftime(form.replace("%B", "%b"))} if day.month == 5 else {expected}  # "May" is both

    def holds(element: DataElement | None) -> bool:
        text = text_of(element)
        return original not in text and (any(one in text for one in may) or not _looks_like(form).search(text))

    return Check(Category.DATE_SHIFTED, path, f"{original} as {expected}", holds)


def _looks_like(form: str) -> re.Pattern[str]:
    parts = {"%Y": r"\d{4}", "%m": r"\d\d", "%d": r"\d\d", "%b": r"[^\W\d_]+", "%B": r"[^\W\d_]+"}
    return re.compile(re.sub(r"%[YBbdm]", lambda found: parts[found[0]], re.escape(form).replace(r"\%", "%")))


def changed(path: Path, original: str) -> Check:
    """A UID is another one, and a legal one."""

    def holds(element: DataElement | None) -> bool:
        legal = re.compile(r"(?=.{1,64}$)[0-2](\.(0|[1-9]\d*))+")
        found = text_of(element).split("\\")
        return not set(found) & set(original.split("\\")) and all(map(legal.fullmatch, found))

    return Check(Category.UID_CHANGED, path, "another UID", holds)


# ---------------------------------------------------------------------------------------------- the table


@dataclass
class Score:
    """How many checks were made and passed, by category; what failed, in words."""

    made: Counter[Category] = field(default_factory=Counter)
    passed: Counter[Category] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def note(self, category: Category, holds: bool, what: str) -> None:
        """Take in one check."""
        self.made[category] += 1
        self.passed[category] += holds
        if not holds:
            self.failures.append(f"{category}: {what}")

    def take(self, checks: Iterable[Check], output: Dataset, name: str) -> None:
        """Make the checks of one output."""
        for check in checks:
            element = find(output, check.path)
            holds = check.holds(element)
            what = "" if holds else f"{name} {written(check.path)} not {check.what}: {text_of(element)[:160]!r}"
            self.note(check.category, holds, what)

    def share(self, *categories: Category) -> float:
        """The part of the checks that passed, of some categories or of all."""
        chosen = categories or tuple(self.made)
        return sum(self.passed[one] for one in chosen) / max(sum(self.made[one] for one in chosen), 1)

    def __str__(self) -> str:
        rows = [f"{'':26}{'checks':>8}{'passed':>8}{'%':>9}"]
        for one in Category:
            rows.append(f"{one:26}{self.made[one]:8}{self.passed[one]:8}{100 * self.share(one):9.2f}")
        rows.append(f"{'all':26}{self.made.total():8}{self.passed.total():8}{100 * self.share():9.2f}")
        return "\n".join([*rows, *self.failures[:60]])


def written(path: Path) -> str:
    """A path for a person."""
    return ".".join(_written(step) for step in path)


def _written(step: int | Private) -> str:
    if isinstance(step, int):
        return f"{step:08X}" if step > 0xFFFF else str(step)
    return f"({step[0]:04X},{step[1]!r},{step[2]:02X})"
