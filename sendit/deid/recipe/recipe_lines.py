"""The lines of a recipe's text: where their words stand, and the error that names the place."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sendit.errors import Misconfigured


class RecipeError(Misconfigured):
    """A line of a recipe cannot be understood; `str()` shows file:line:column and the reason."""

    def __init__(self, file: str, line: int, column: int, reason: str) -> None:
        self.file, self.line, self.column, self.reason = file, line, column, reason
        super().__init__("BadRecipe", subject=f"{file}:{line}:{column}: {reason}")

    def __reduce__(self) -> tuple[object, ...]:
        return (RecipeError, (self.file, self.line, self.column, self.reason))


@dataclass(frozen=True, slots=True)
class RecipeText:
    """A recipe's text and where it came from; `lenient` for those of the `deid` package, which name what is not."""

    file: str
    text: str
    lenient: bool = False
    path: str = ""
    """The whole path of the file that it was read from; blank for a shipped one."""


@dataclass(frozen=True, slots=True)
class Words:
    """A line's words with the column of each; `rest(n)` is the text from the n-th word on, its comment gone."""

    file: str
    number: int
    text: str
    spans: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.spans)

    def __getitem__(self, n: int) -> str:
        start, end = self.spans[n]
        return self.text[start:end]

    def rest(self, n: int) -> str:
        return self.text[self.spans[n][0] : self.spans[-1][1]] if n < len(self.spans) else ""

    def column(self, n: int) -> int:
        """1 for the first character; of a word that is missing, just behind the last."""
        return self.spans[n][0] + 1 if n < len(self.spans) else self.spans[-1][1] + 1

    def error(self, column: int, reason: str) -> RecipeError:
        """The error of a column of this line."""
        return RecipeError(self.file, self.number, column, reason)


_WORD = re.compile(r'(?:[^\s"]|"[^"]*"|"(?=[^"]*$))+')
_ACTION_AND_FIELD = re.compile(r'\s*[^\s#"]*\s*(?:[^\s#"]|"[^"]*")*')


def _without_comment(text: str) -> str:
    """The line up to its first number sign that is not within the quotes of its field."""
    match = _ACTION_AND_FIELD.match(text)
    end = match.end() if match else 0
    return (text[:end] + text[end:].partition("#")[0]).rstrip()


def words_of(file: str, number: int, line: str) -> Words:
    text = _without_comment(line)
    return Words(file, number, text, tuple(match.span() for match in _WORD.finditer(text)))
