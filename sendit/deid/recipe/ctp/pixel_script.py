"""A script of CTP's DicomPixelAnonymizer as a graylist: signatures become labels, and their regions coordinates.

A signature is an expression in braces: tests of attributes, joined by `*` (and), `+` (or), `!` (not) and parentheses.
The regions behind it are (left, top, width, height). Whatever else stands between signatures is a heading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from sendit.deid.recipe.field_syntax import FieldError, parse_attribute
from sendit.deid.recipe.filters import parse_check
from sendit.deid.recipe.recipe_lines import RecipeError, RecipeText

SUFFIX = ".script"
MOST_LABELS = 64
"""So many conjunctions a signature may come to."""

_SIGNATURE = re.compile(r"\{([^{}]*)\}")
_REGION = re.compile(r"\(([\d\s,]+)\)")
_TOKEN = re.compile(
    r"""\s*(?:(?P<sign>[!*+()])
    |(?P<constant>true|false)\.(?![A-Za-z])
    |(?P<field>\[\s*[0-9A-Fa-f]{4}\s*,\s*[0-9A-Fa-f]{4}\s*\]|[A-Za-z][A-Za-z0-9]*)
     \s*\.\s*(?P<test>[A-Za-z]+)\s*\(\s*"(?P<text>[^"]*)"\s*\)
    )\s*""",
    re.VERBOSE,
)
_COMMENT = re.compile(r"//[^\n]*")
_PATTERNS: dict[str, tuple[str, str]] = {
    "contains": ("", ""),
    "startswith": ("^", ""),
    "endswith": ("", "$"),
}
"""What stands before and behind the text, of a test that is a search."""


@dataclass(frozen=True, slots=True)
class Test:
    """One test of an attribute as a recipe's criterion, and the criterion of its opposite."""

    line: str
    opposite: str


Conjunctions = list[tuple[str, ...]]


def as_recipe(script: RecipeText) -> RecipeText:
    """Return the recipe that says what a script says.

    The regions of all signatures that fit are blanked, and not those of the first alone; so one without regions says
    nothing. Upper and lower case are not told apart.

    Raises
    ------
    RecipeError
        A signature or a region cannot be understood.
    """
    text = _COMMENT.sub(lambda comment: " " * len(comment[0]), script.text)
    signatures = [*_SIGNATURE.finditer(text)]
    if not signatures:
        raise _error(script, 0, "a script has signatures in braces")
    lines = ["FORMAT dicom", "%filter graylist"]
    for signature, end in zip(signatures, [*(s.start() for s in signatures[1:]), len(text)], strict=True):
        regions = list(_regions(script, text, signature.end(), end))
        number = text.count("\n", 0, signature.start()) + 1
        for conjunction in _Expression(script, text, signature.start(1), signature.end(1)).parse() if regions else ():
            lines.append(f"LABEL signature in line {number}")
            lines += [f"{'+ ' if place else ''}{line}" for place, line in enumerate(conjunction)]
            lines += [f"ctpcoordinates {region}" for region in regions]
    return RecipeText(script.file, "\n".join(lines), path=script.path)


def _regions(script: RecipeText, text: str, begin: int, end: int) -> Iterator[str]:
    for match in _REGION.finditer(text, begin, end):
        numbers = [part.strip() for part in match[1].split(",")]
        if len(numbers) != 4 or not all(number.isdecimal() and len(number) <= 6 for number in numbers):
            raise _error(script, match.start(), "a region is (left, top, width, height)")
        yield ",".join(numbers)


def _error(script: RecipeText, at: int, reason: str) -> RecipeError:
    before = script.text[:at]
    return RecipeError(script.file, before.count("\n") + 1, at - before.rfind("\n"), reason)


class _Expression:
    """A signature's expression, read from left to right: `+` binds weaker than `*`, and `!` strongest."""

    def __init__(self, script: RecipeText, text: str, begin: int, end: int) -> None:
        self._script, self._text, self._at, self._end = script, text, begin, end

    def parse(self) -> Conjunctions:
        """Return it as alternatives, each of them criteria that all hold."""
        found = self._sum(negated=False)
        if self._at < self._end:
            raise self._unexpected()
        return found

    def _sum(self, *, negated: bool) -> Conjunctions:
        terms = [self._product(negated=negated)]
        while self._take("+"):
            terms.append(self._product(negated=negated))
        return self._all(terms) if negated else self._any(terms)

    def _product(self, *, negated: bool) -> Conjunctions:
        factors = [self._factor(negated=negated)]
        while self._take("*"):
            factors.append(self._factor(negated=negated))
        return self._any(factors) if negated else self._all(factors)

    def _factor(self, *, negated: bool) -> Conjunctions:
        if self._take("!"):
            return self._factor(negated=not negated)
        if self._take("("):
            found = self._sum(negated=negated)
            if not self._take(")"):
                raise self._unexpected()
            return found
        match = self._next()
        if match is None or match["sign"]:
            raise self._unexpected()
        if match["constant"]:
            self._at = match.end()
            return [()] if (match["constant"] == "true") is not negated else []
        test = self._test(match)
        self._at = match.end()
        return [(test.opposite if negated else test.line,)]

    def _any(self, parts: list[Conjunctions]) -> Conjunctions:
        return self._bounded([one for part in parts for one in part])

    def _all(self, parts: list[Conjunctions]) -> Conjunctions:
        found: Conjunctions = [()]
        for part in parts:
            found = self._bounded([(*one, *other) for one, other in product(found, part)])
        return found

    def _bounded(self, found: Conjunctions) -> Conjunctions:
        if len(found) > MOST_LABELS:
            raise _error(self._script, self._at, f"this comes to more than {MOST_LABELS} alternatives")
        return found

    def _test(self, match: re.Match[str]) -> Test:
        name, kind, text = match["field"], match["test"].lower().removesuffix("ignorecase"), match["text"]
        if name.startswith("["):
            name = "0x" + re.sub(r"[\[\],\s]", "", name).upper()
        else:
            try:
                parse_attribute(name)
            except FieldError as error:
                raise _error(self._script, match.start("field"), error.reason) from None
        if not text and kind in ("equals", "matches"):
            return Test(f"missing {name} || empty {name}", f"contains {name} .")
        if not text or kind not in ("matches", "equals", *_PATTERNS):
            raise _error(self._script, match.start("test"), f"{match['test']} cannot be asked here")
        compared = _compared(name, kind, text)
        try:
            parse_check(compared.line, lenient=True)
        except FieldError as error:
            raise _error(self._script, match.start("text"), error.reason) from None
        return compared

    def _next(self) -> re.Match[str] | None:
        return _TOKEN.match(self._text, self._at, self._end)

    def _take(self, sign: str) -> bool:
        match = self._next()
        if match is None or match["sign"] != sign:
            return False
        self._at = match.end()
        return True

    def _unexpected(self) -> RecipeError:
        return _error(self._script, self._at, "this signature cannot be understood from here on")


def _compared(name: str, kind: str, text: str) -> Test:
    if kind == "equals":
        pattern = f"^{re.escape(text)}$"
    elif kind == "matches":
        pattern = f"^(?:{text})$"
    else:
        before, behind = _PATTERNS[kind]
        pattern = before + re.escape(text) + behind
    pattern = pattern.replace("\\ ", "[ ]").replace(" #", " \\#")
    return Test(f"contains {name} {pattern}", f"notcontains {name} {pattern}")
