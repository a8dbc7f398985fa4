"""The %filter rules of a recipe over one image's header: may it go on, or is it withheld, and by which rule.

Reads a header through `HeaderValues`; decodes nothing and looks at no pixel.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sendit.deid.recipe.filters import Check, Criterion, Filter, Label, Looking, Question, Region, RegionsFrom
from sendit.deid.recipe.recipe import Recipe
from sendit.deid.stream.header import Header

NOT_OF_PROJECT = "sendit: not of the project"
"""What withholds an image that another project may want, and the one that is asked does not."""


class HeaderValues(Protocol):
    """What the screen asks of a header."""

    def get(self, attribute: int, /) -> object | None:
        """An attribute's values as a tuple of str, something else for a sequence, None where the image has none."""
        ...

    def items(self, attribute: int, /) -> Sequence[HeaderValues]:
        """The items of a sequence; none where the image has no such sequence."""
        ...


@dataclass(frozen=True, slots=True)
class PixelTask:
    """What is to be done to the pixels of an image before it passes.

    Parameters
    ----------
    rule : str
        The text of the LABEL that asks for it.
    regions : tuple of Region
        What is blanked, and kept, whatever is found.
    sampled : bool
        Whether the image is looked at only if it is one of its series' sample, or text was found in one of these.
    named : tuple of str
        The texts of the labels that give the regions: of the catalogue, which device's they are.
    is_drawn : bool
        Whether a person who saw the image drew the regions: only these are blanked, and nothing is looked for.
    """

    rule: str
    regions: tuple[Region, ...] = ()
    sampled: bool = False
    is_drawn: bool = False
    named: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the filter rules say of an image.

    Parameters
    ----------
    passed : bool
        Whether it may be de-identified and go on.
    rule : str
        The text of the LABEL that decided; "" where none spoke.
    group : str
        The name of that label's %filter.
    reason : str
        The label's criteria: attributes and operators, never a value.
    coordinates : tuple of Region
        The regions that the filter's labels give for this image, in order; boxes are (left, top, right, bottom).
    pixels : PixelTask, optional
        What is to be done to its pixels first, of an image that passes for that reason.
    """

    passed: bool
    rule: str = ""
    group: str = ""
    reason: str = ""
    coordinates: tuple[Region, ...] = ()
    pixels: PixelTask | None = None


class Screen:
    """A recipe's filters for many images: what was said of one is said of all that are alike in what is asked.

    Parameters
    ----------
    recipe : Recipe
    only : sequence of Check
        If there are any, one of them has to hold before the filters are asked.

    Attributes
    ----------
    tags : tuple of int
        What is asked.
    """

    REMEMBERED = 4096

    def __init__(self, recipe: Recipe, only: Sequence[Check] = ()) -> None:
        self._recipe, self._only = recipe, tuple(only)
        asked = {tag for rules in recipe.filters for label in rules.labels for tag in _asked(label)}
        self.tags = tuple(sorted(asked.union(*map(_asked_by, self._only))))
        self._verdicts: dict[Hashable, Verdict] = {}

    def verdict(self, header: Header) -> Verdict:
        """As `screen`."""
        key = header.encoded(self.tags)
        if key not in self._verdicts:
            if len(self._verdicts) >= self.REMEMBERED:
                self._verdicts.clear()
            self._verdicts[key] = self._judged(header)
        return self._verdicts[key]

    def _judged(self, header: Header) -> Verdict:
        if self._only and not any(holds(check, header) for check in self._only):
            return Verdict(passed=False, rule=NOT_OF_PROJECT)
        return screen(header, self._recipe)


def _asked(label: Label) -> Iterator[int]:
    for check in label.checks:
        yield from _asked_by(check)
    for region in label.regions:
        if isinstance(region, RegionsFrom):
            yield region.tag


def _asked_by(check: Check) -> Iterator[int]:
    for question in check.questions:
        yield from question.tags


def screen(header: HeaderValues, recipe: Recipe) -> Verdict:
    """The verdict of the first label that fits, in the recipe's order; where none does, the image passes.

    A graylist's label that speaks of pixels decides only where no later label withholds the image, and only under a
    profile with Clean Pixel Data; under any other it withholds, too.
    """
    held: Verdict | None = None
    for rules in recipe.filters:
        for label in rules.labels:
            if (held is None or not rules.is_graylist or not label.speaks_of_pixels) and fits(label, header):
                verdict = _verdict(header, rules, label, recipe)
                if verdict.pixels is None:
                    return held if held is not None and verdict.passed else verdict
                held = verdict
    return held or Verdict(passed=True)


def _verdict(header: HeaderValues, rules: Filter, label: Label, recipe: Recipe) -> Verdict:
    regions, named = ([], []) if rules.is_whitelist else _regions(header, rules)
    coordinates, task = tuple(regions), None
    if recipe.cleans_pixels and rules.is_graylist and label.speaks_of_pixels:
        task = PixelTask(label.text, coordinates, _is_sampled(header, rules), named=tuple(named))
    return Verdict(rules.is_whitelist or task is not None, label.text, rules.name, str(label), coordinates, task)


def _is_sampled(header: HeaderValues, rules: Filter) -> bool:
    """Whether no label that fits has every image looked at."""
    speaking = [label for label in rules.labels if label.speaks_of_pixels and fits(label, header)]
    return all(label.looking is Looking.SAMPLE for label in speaking)


def _regions(header: HeaderValues, rules: Filter) -> tuple[list[Region], list[str]]:
    """The regions of all labels that fit, and the texts of these labels."""
    found, named = list[Region](), list[str]()
    for label in rules.labels:
        if label.regions and fits(label, header):
            named.append(label.text)
            for region in label.regions:
                found += _regions_from(header, region) if isinstance(region, RegionsFrom) else (region,)
    return found, named


_CORNERS = (0x00186018, 0x0018601A, 0x0018601C, 0x0018601E)
"""Region Location Min X0, Min Y0, Max X1, Max Y1 (PS3.3 C.8.5.5)."""


def _regions_from(header: HeaderValues, source: RegionsFrom) -> Sequence[Region]:
    found = []
    for item in header.items(source.tag):
        corners = [value for tag in _CORNERS for value in _values(item, (tag,))[:1]]
        if len(corners) == len(_CORNERS) and all(corner.isdecimal() for corner in corners):
            left, top, right, bottom = map(int, corners)
            found.append(Region(source.keep, (left, top, right, bottom)))
    return found


# ---------------------------------------------------------------------------------------------- evaluation


def fits(label: Label, header: HeaderValues) -> bool:
    """Whether a label's checks hold, joined from left to right; a label of coordinates alone fits every image."""
    result = holds(label.checks[0], header) if label.checks else True
    for check in label.checks[1:]:
        if result is not _is_decided(check.operator):
            result = holds(check, header)
    return result


def holds(check: Check, header: HeaderValues) -> bool:
    """Whether a line holds: its questions joined from left to right, before the lines are."""
    result = answer(check.questions[0], header)
    for operator, question in zip(check.inner_operators, check.questions[1:], strict=True):
        if result is not _is_decided(operator):
            result = answer(question, header)
    return result


def _is_decided(operator: str) -> bool:
    """What the left side of an operator is where the right side is not asked: "and" stays false, "or" true."""
    return operator != "+"


def answer(question: Question, header: HeaderValues) -> bool:
    """Whether one criterion holds of one attribute."""
    match question.criterion:
        case Criterion.MISSING:
            return not _is_present(header, question.tags)
        case Criterion.PRESENT:
            return _is_present(header, question.tags)
        case Criterion.EMPTY:
            return _is_empty(header, question.tags)
        case Criterion.CONTAINS:
            return _contains(question, header)
        case Criterion.NOTCONTAINS:
            return not _contains(question, header)
        case Criterion.EQUALS:
            return _equals(question, header)
        case Criterion.NOTEQUALS:
            return not _equals(question, header)


def _is_present(header: HeaderValues, tags: tuple[int, ...]) -> bool:
    return any(header.get(tag) is not None for tag in tags)


def _is_empty(header: HeaderValues, tags: tuple[int, ...]) -> bool:
    """Present without a value: of zero length, or nothing but padding; a sequence without items."""
    present = [header.get(tag) for tag in tags]
    return any(value is not None and _is_blank(header, tag, value) for tag, value in zip(tags, present, strict=True))


def _is_blank(header: HeaderValues, tag: int, value: object) -> bool:
    if isinstance(value, tuple):
        return not any(str(part).strip() for part in value)
    return not header.items(tag)


def _values(header: HeaderValues, tags: tuple[int, ...]) -> list[str]:
    """The attribute's values, each alone and, where there are several, all of them as the file has them."""
    found = []
    for tag in tags:
        value = header.get(tag)
        parts = [str(part).strip() for part in value] if isinstance(value, tuple) else []
        found += [*parts, "\\".join(parts)] if len(parts) > 1 else parts
    return found


def _contains(question: Question, header: HeaderValues) -> bool:
    assert question.pattern is not None
    return any(question.pattern.search(value) for value in _values(header, question.tags))


def _equals(question: Question, header: HeaderValues) -> bool:
    return any(value.lower() in question.terms for value in _values(header, question.tags))
