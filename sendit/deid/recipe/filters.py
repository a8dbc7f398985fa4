"""The criteria of a recipe's %filter: their records, and one line of text in, a Check out. Looks at no file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from sendit.deid.recipe.field_syntax import FieldError, UnknownAttribute, compile_search, hint, parse_attribute
from sendit.deid.recipe.selectors import Path, tags_of
from sendit.deid.stream.tags import default_vr


class Criterion(StrEnum):
    """What is asked of an attribute."""

    CONTAINS = "contains"
    NOTCONTAINS = "notcontains"
    EQUALS = "equals"
    NOTEQUALS = "notequals"
    MISSING = "missing"
    PRESENT = "present"
    EMPTY = "empty"


WITH_VALUE = frozenset({Criterion.CONTAINS, Criterion.NOTCONTAINS, Criterion.EQUALS, Criterion.NOTEQUALS})
_WORDS = {criterion.value: criterion.value for criterion in Criterion}


@dataclass(frozen=True, slots=True)
class Question:
    """One criterion on one attribute. `tags` are those that its name stands for; none where no file can have it.

    `pattern` is what `contains` searches for, `terms` the alternatives that `equals` compares with, in lower case.
    """

    criterion: Criterion
    attribute: str
    tags: tuple[int, ...]
    pattern: re.Pattern[str] | None = None
    terms: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.criterion} {self.attribute}"


@dataclass(frozen=True, slots=True)
class Check:
    """One line: questions joined by its inner operators, evaluated from left to right, as one.

    `operator` joins it with the lines before it: "+" (and), "||" (or), or "" for a line that starts another check.
    """

    operator: str
    questions: tuple[Question, ...]
    inner_operators: tuple[str, ...]

    def __str__(self) -> str:
        words = [str(self.questions[0])]
        for operator, question in zip(self.inner_operators, self.questions[1:], strict=True):
            words += [operator, str(question)]
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of an image: `box` is (left, top, right, bottom), or None for the whole; `keep` it or blank it."""

    keep: bool
    box: tuple[int, int, int, int] | None


@dataclass(frozen=True, slots=True)
class RegionsFrom:
    """Rectangles that a sequence of the image names (`from:SequenceOfUltrasoundRegions`)."""

    keep: bool
    tag: int


class Looking(StrEnum):
    """Which images of a series `detect text` looks at."""

    ALL = "all"
    SAMPLE = "sample"
    """The first, the middle and the last of each series, and all where one of these has text."""


@dataclass(frozen=True, slots=True)
class Label:
    """One LABEL: a name for its checks, the coordinates that go with it, and whether text is looked for."""

    text: str
    line: int
    file: str
    checks: tuple[Check, ...] = ()
    regions: tuple[Region | RegionsFrom, ...] = ()
    looking: Looking | None = None

    @property
    def speaks_of_pixels(self) -> bool:
        """Whether it says what becomes of pixels."""
        return bool(self.regions) or self.looking is not None

    def __str__(self) -> str:
        words = []
        for number, check in enumerate(self.checks):
            words += [check.operator or "or also", str(check)] if number else [str(check)]
        return " ".join(words) or "every image"


@dataclass(frozen=True, slots=True)
class Filter:
    """One %filter: its name and its labels in order. An image that fits a whitelist's label passes, any other's not."""

    name: str
    labels: tuple[Label, ...]

    @property
    def is_graylist(self) -> bool:
        """Whether its labels name images that pass once their pixels are clean."""
        return self.name.lower() == "graylist"

    @property
    def is_whitelist(self) -> bool:
        """Whether its labels say which images pass."""
        return self.name.lower() == "whitelist"


# ---------------------------------------------------------------------------------------------- from text

_OPERATOR = re.compile(rf"(\|\||\+)\s*(?=(?:{'|'.join(_WORDS)})(?:\s|$))", re.IGNORECASE)
_LEADING = re.compile(r"(\|\||\+)?\s*")
_STRAY = re.compile(r"\s(\|\||\+)\s+[a-z]", re.IGNORECASE)
_QUESTION = re.compile(r"(\S+)(?:\s+(\S+)(?:\s+(.*\S))?)?\s*", re.DOTALL)
_COORDINATES = re.compile(r"(ctp)?(keep)?coordinates\b\s*(.*)", re.IGNORECASE)


_DETECT = re.compile(r"detect(?:\s+(\S+)(?:\s+(.*\S))?)?", re.IGNORECASE)


def is_detect(text: str) -> bool:
    """Whether a line of a LABEL asks for detection."""
    return text[:6].lower() == "detect" and not text[6:7].strip()


def parse_detect(text: str) -> Looking:
    """Which images a `detect text` or `detect text sample` line has looked at; FieldError where it is neither."""
    match = _DETECT.fullmatch(text)
    assert match is not None
    what, which = (match[1] or "").lower(), (match[2] or "").lower()
    if what != "text":
        raise FieldError("what is detected is text", match.start(1) if match[1] else len(text))
    if which not in ("", "sample"):
        raise FieldError("detect text takes nothing more, or sample", match.start(2))
    return Looking.SAMPLE if which else Looking.ALL


def is_coordinates(text: str) -> bool:
    """Whether a line of a LABEL gives coordinates."""
    return _COORDINATES.match(text) is not None


def parse_check(text: str, lenient: bool) -> tuple[Check, list[FieldError]]:
    """A line of criteria, and what it names that the dictionary does not have (FieldError for that, if not lenient).

    Parameters
    ----------
    text : str
        The line without surrounding blanks and comment.
    lenient : bool
        Let an unknown attribute be one that every file lacks.
    """
    leading = _LEADING.match(text)
    assert leading is not None
    start = leading.end()
    operators: list[str] = []
    unknown: list[FieldError] = []
    questions: list[Question] = []
    for boundary in [*_OPERATOR.finditer(text, start), None]:
        end = boundary.start() if boundary else len(text)
        questions.append(_parse_question(text[start:end], start, lenient, unknown))
        if boundary:
            operators.append(boundary[1])
            start = boundary.end()
    return Check(leading[1] or "", tuple(questions), tuple(operators)), unknown


def _parse_question(text: str, offset: int, lenient: bool, unknown: list[FieldError]) -> Question:
    match = _QUESTION.fullmatch(text)
    if match is None:
        raise FieldError("a criterion is missing", offset)
    word, name, value = match.groups()
    if word.lower() not in _WORDS:
        raise FieldError(f"{word} is no criterion" + hint(word, _WORDS), offset)
    criterion = Criterion(word.lower())
    if name is None:
        raise FieldError(f"{criterion} asks for an attribute", offset + len(word))
    if (value is None) is (criterion in WITH_VALUE):
        raise FieldError(f"{criterion} takes {'a' if value is None else 'no'} value", offset + len(text.rstrip()))
    tags = _tags(name, offset + match.start(2), lenient, unknown)
    if value is None:
        return Question(criterion, name, tags)
    if any(default_vr(tag) == "SQ" for tag in tags):
        reason = f"{name} is a sequence: ask whether it is present, missing or empty"
        raise FieldError(reason, offset + match.start(2))
    return _question_of_value(criterion, name, tags, value, offset + match.start(3))


def _question_of_value(criterion: Criterion, name: str, tags: tuple[int, ...], value: str, offset: int) -> Question:
    stray = _STRAY.search(f" {value}")
    if stray:
        raise FieldError(f"no criterion follows {stray[1]} (write \\{stray[1][0]} for the sign itself)", offset)
    if criterion in (Criterion.CONTAINS, Criterion.NOTCONTAINS):
        return Question(criterion, name, tags, pattern=compile_search(value, value, offset))
    terms = {value.lower(), *(part.strip().lower() for part in value.split("|"))}
    return Question(criterion, name, tags, terms=frozenset(terms))


def _tags(name: str, offset: int, lenient: bool, unknown: list[FieldError]) -> tuple[int, ...]:
    if re.fullmatch(r"0x[0-9A-Fa-f]{8}", name):
        return (int(name, 16),)
    try:
        leaf = parse_attribute(name)
    except UnknownAttribute as error:
        error.offset += offset
        if not lenient:
            raise
        unknown.append(error)
        return ()
    except FieldError as error:
        raise FieldError(error.reason, offset + error.offset) from None
    tags = () if isinstance(leaf, Path) else tags_of(leaf)
    if not tags:
        raise FieldError("a filter asks of an attribute by its keyword or tag", offset)
    return tags


def parse_coordinates(text: str) -> Region | RegionsFrom:
    """The region of a `coordinates`, `keepcoordinates`, `ctpcoordinates` or `ctpkeepcoordinates` line."""
    match = _COORDINATES.fullmatch(text)
    assert match is not None
    keep, value, offset = match[2] is not None, match[3].strip(), match.start(3)
    if value.lower() == "all":
        return Region(keep, None)
    if value.lower().startswith("from:") and not match[1]:
        return RegionsFrom(keep, _sequence(value[5:].strip(), offset + 5))
    numbers = re.fullmatch(r"\s*,\s*".join([r"(\d{1,6})"] * 4), value)
    if numbers is None:
        raise FieldError("coordinates are four whole numbers, all, or from: a sequence", offset)
    left, top, right, bottom = map(int, numbers.groups())
    if match[1]:
        right, bottom = left + right, top + bottom
    return Region(keep, (left, top, right, bottom))


def _sequence(name: str, offset: int) -> int:
    tags = _tags(name, offset, False, [])
    if len(tags) != 1 or default_vr(tags[0]) != "SQ":
        raise FieldError(f"{name} is not a sequence", offset)
    return tags[0]
