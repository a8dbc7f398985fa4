"""The FIELD of a recipe's rule as text: the text goes in, a Selector comes out.

Knows the DICOM dictionary (PS3.6), no rule, no value and no file.
"""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Callable, Iterator
from functools import cache

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

from sendit.deid.recipe.selectors import (
    ElementName,
    Everything,
    Keyword,
    Leaf,
    OfType,
    Path,
    PrivateTag,
    Search,
    SelectGroup,
    Selector,
    SelectPrivate,
    SelectRetired,
    SelectUnknown,
    SelectVR,
    Tag,
    only_tag,
    tags_of,
)
from sendit.deid.standard.attribute_types import OPTIONAL, TYPES, UNKNOWN
from sendit.deid.stream.tags import default_vr, is_private
from sendit.deid.stream.values import VRS


class FieldError(ValueError):
    """A FIELD that cannot be understood; `offset` is where in its text."""

    def __init__(self, reason: str, offset: int = 0) -> None:
        self.reason, self.offset = reason, offset
        super().__init__(reason)


class UnknownAttribute(FieldError):
    """A FIELD in good form that names no attribute of the DICOM dictionary."""


_TAG = re.compile(r"\(\s*([0-9A-Fa-f]{4})\s*,\s*([0-9A-Fa-f]{4})\s*\)|([0-9A-Fa-f]{8})")
_PRIVATE = re.compile(r'(\()?([0-9A-Fa-f]{4}),"([^"]+)",([0-9A-Fa-f]{2})(?(1)\))')
_EXPANDER = re.compile(r'([^:"]*(?:"[^"]*"[^:"]*)*):(.*)', re.DOTALL)


def parse_field(text: str) -> Selector:
    """The Selector of a FIELD, all forms but `fields:` and `values:`; FieldError where it is none."""
    if text.lower() in ("all", "allfields"):
        return Everything()
    expander = _EXPANDER.fullmatch(text)
    if expander is None:
        return parse_attribute(text)
    name, expression = expander[1].lower(), expander[2]
    parse = _EXPANDERS.get(name)
    if parse is None:
        raise FieldError(f"{expander[1]}: is no expander" + hint(name, _EXPANDERS))
    return parse(expression, len(name) + 1)


def parse_attribute(text: str) -> Leaf | Path:
    """The Selector of an attribute's name: keyword, tag, private form, name in quotes, or a path of them."""
    if "__" not in text or _PRIVATE.fullmatch(text) or text.startswith('"'):
        return _leaf(text, 0)
    *outer, last = text.split("__")
    sequences = tuple(_sequences(outer))
    return Path(sequences, _leaf(last, len(text) - len(last)))


def _sequences(parts: list[str]) -> Iterator[tuple[int, int | None]]:
    offset = 0
    waiting: int | None = None
    for part in parts:
        if part.isdecimal() and len(part) < 8:
            if waiting is None:
                raise FieldError("an item number follows the sequence it counts in", offset)
            yield waiting, int(part)
            waiting = None
        else:
            if waiting is not None:
                yield waiting, None
            waiting = _sequence_tag(part, offset)
        offset += len(part) + 2
    if waiting is not None:
        yield waiting, None


def _sequence_tag(part: str, offset: int) -> int:
    leaf = _leaf(part, offset)
    tag = only_tag(leaf)
    if tag is None or isinstance(leaf, ElementName):
        raise FieldError("an enclosing sequence is named by its keyword or tag", offset)
    if not is_private(tag) and default_vr(tag) != "SQ":
        raise FieldError(f"{part} is not a sequence", offset)
    return tag


def _leaf(text: str, offset: int) -> Leaf:
    tag, private = _TAG.fullmatch(text), _PRIVATE.fullmatch(text)
    if tag:
        return Tag(int((tag[1] or "") + (tag[2] or "") + (tag[3] or ""), 16))
    if private:
        return _private(private, offset)
    if len(text) > 2 and text[0] == text[-1] == '"':
        return ElementName(text[1:-1]) if text[1:-1].lower() in _names() else _unknown(text[1:-1], _names(), offset)
    if text.startswith("[") and text.endswith("]"):
        return ElementName(text, names_private=True)
    if not re.fullmatch(r"\w+", text):
        raise FieldError("no keyword, tag or expander has this form", offset)
    keyword = _keywords().get(text.lower())
    return Keyword(keyword) if keyword else _unknown(text, _keywords(), offset)


def _private(match: re.Match[str], offset: int) -> PrivateTag:
    group = int(match[2], 16)
    if not group & 1:
        raise FieldError("a private group is odd", offset)
    return PrivateTag(group, match[3].strip(), int(match[4], 16))


def _unknown(text: str, known: dict[str, str], offset: int) -> Leaf:
    raise UnknownAttribute(f"the dictionary has no attribute {text}" + hint(text, known), offset)


def hint(word: str, known: dict[str, str] | dict[str, Callable[[str, int], Selector]]) -> str:
    """A `did you mean` for the closest of the known words, or nothing."""
    close = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.75)
    found = known[close[0]] if close else None
    return f"; did you mean {found if isinstance(found, str) else close[0]}?" if close else ""


_BY_LINE = re.compile(r"(?!.*(\(\?|\[\^))[\w|().,'\" *+?^$:\[\]{}-]*")
"""Expressions that are found in a line wherever they are found in the line alone."""


def _search(form: str, negated: bool = False) -> Callable[[str, int], Selector]:
    def parse(expression: str, offset: int) -> Selector:
        pattern = compile_search(form % expression, expression, offset)
        by_line = re.compile(pattern.pattern, pattern.flags | re.MULTILINE) if _BY_LINE.fullmatch(expression) else None
        return Search(pattern, negated, by_line)

    return parse


def compile_search(pattern: str, expression: str, offset: int = 0) -> re.Pattern[str]:
    """A regular expression in any case; FieldError where it is none, or where it would be found in everything."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        try:
            compiled = re.compile(pattern, re.IGNORECASE)
            found_in_nothing = re.search(expression, "") is not None
        except re.error as error:
            raise FieldError(f"not a regular expression: {error.msg}", offset) from None
    if found_in_nothing:
        raise FieldError("this expression is found in everything", offset)
    return compiled


def _select(expression: str, offset: int) -> Selector:
    property_name, _, value = expression.partition(":")
    offset += len(property_name) + 1
    match property_name.lower():
        case "vr" if value.upper() in VRS:
            return SelectVR(value.upper())
        case "vr":
            raise FieldError(f"{value or 'nothing'} is no VR", offset)
        case "group" if re.fullmatch(r"(0x)?[0-9A-Fa-f]{1,4}", value):
            return SelectGroup(int(value, 16))
        case "group":
            raise FieldError("a group is up to four hexadecimal digits", offset)
        case "private" | "retired" | "unknown" as kind if value.lower() in ("yes", "no"):
            return _KINDS[kind](value.lower() == "yes")
        case _:
            reason = "select: goes on with VR:, group:, private:yes, retired:yes or unknown:yes"
            raise FieldError(reason, offset - len(property_name) - 1)


_KINDS: dict[str, Callable[[bool], Selector]] = {
    "private": SelectPrivate,
    "retired": SelectRetired,
    "unknown": SelectUnknown,
}

_TYPE_WORDS = {word.lower(): word for word in (*TYPES, OPTIONAL, UNKNOWN)}


def _of_type(expression: str, offset: int) -> Selector:
    words, _, name = expression.partition(":")
    unknown = [word for word in words.split("|") if word.lower() not in _TYPE_WORDS]
    if unknown:
        raise FieldError(f"{unknown[0] or 'nothing'} is no Type, only " + ", ".join(_TYPE_WORDS.values()), offset)
    leaf = _leaf(name, offset + len(words) + 1)
    if not isinstance(leaf, Keyword | Tag) or any(map(is_private, tags_of(leaf))):
        raise FieldError("type: goes on with a public attribute, by keyword or tag", offset + len(words) + 1)
    return OfType(frozenset(_TYPE_WORDS[word.lower()] for word in words.split("|")), leaf)


_EXPANDERS: dict[str, Callable[[str, int], Selector]] = {
    "startswith": _search("^(%s)"),
    "endswith": _search("(%s)$"),
    "contains": _search("%s"),
    "except": _search("%s", negated=True),
    "allexcept": _search("%s", negated=True),
    "select": _select,
    "type": _of_type,
}


@cache
def _keywords() -> dict[str, str]:
    entries = (*DicomDictionary.values(), *RepeatersDictionary.values())
    return {entry[4].lower(): entry[4] for entry in entries if entry[4]}


@cache
def _names() -> dict[str, str]:
    entries = (*DicomDictionary.values(), *RepeatersDictionary.values())
    return {entry[2].lower(): entry[2] for entry in entries if entry[2]}
