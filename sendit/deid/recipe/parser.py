"""The lines of a recipe: text in, what they say out, or the place where they cannot be understood. Loads nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

from sendit.deid.recipe.draft import Draft, ProfileLine, attribute_tags, is_sequence
from sendit.deid.recipe.field_syntax import FieldError, UnknownAttribute, hint, parse_field
from sendit.deid.recipe.filters import (
    Check,
    Label,
    Looking,
    Region,
    RegionsFrom,
    is_coordinates,
    is_detect,
    parse_check,
    parse_coordinates,
    parse_detect,
)
from sendit.deid.recipe.profile import ProfileError, parse_profile
from sendit.deid.recipe.recipe_lines import RecipeError, RecipeText, Words, words_of
from sendit.deid.recipe.rule_values import is_coded, is_days, parse_value
from sendit.deid.recipe.rules import PROTECTED, Action, Rule, Value
from sendit.deid.recipe.selectors import Keyword, Path, Selector, Tag, only_tag
from sendit.deid.recipe.value_lists import ValuesSource
from sendit.deid.stream.tags import default_vr, is_private
from sendit.deid.stream.values import NUMBERS
from sendit.errors import Misconfigured


class Parser:
    """One text, line by line. `section` says what a line means; an open LABEL collects the lines under it."""

    def __init__(self, source: RecipeText, draft: Draft) -> None:
        self.source, self.draft = source, draft
        self.section: str | None = None
        self.section_name = ""
        self.has_format = False
        self.label: Label | None = None
        self.checks: list[Check] = []
        self.regions: list[Region | RegionsFrom] = []
        self.looking: Looking | None = None

    def parse(self) -> None:
        """Read every line into the draft."""
        for number, line in enumerate(re.split(r"\r\n?|\n", self.source.text), start=1):
            words = words_of(self.source.file, number, line)
            if self._is_own_line(words):
                self.draft.text.append(line)
            if len(words):
                self._line(words, line)
        self._close_label()
        if not self.has_format:
            raise self._error(1, 1, "a recipe begins with FORMAT dicom")

    def _is_own_line(self, words: Words) -> bool:
        """Whether the line stands in the text of it all as it is; only the first FORMAT does."""
        word = words[0].upper() if len(words) and self.section is None else ""
        return word not in _TOP_LINES and not (word == "FORMAT" and self.draft.has_format)

    def _line(self, words: Words, line: str) -> None:
        if words[0].startswith("%"):
            self._open_section(words)
        elif self.section is None and self.has_format and words[0].upper() in _TOP_LINES:
            _TOP_LINES[words[0].upper()](self, words)
        elif self.section is None:
            self._format(words)
        else:
            _SECTIONS[self.section](self, words, line)

    def _error(self, line: int, column: int, reason: str) -> RecipeError:
        return RecipeError(self.source.file, line, column, reason)

    def _warn(self, line: int, column: int, reason: str) -> None:
        self.draft.warnings.append(f"{self.source.file}:{line}:{column}: {reason}")

    def _expect_end(self, words: Words, count: int, what: str) -> None:
        if len(words) > count:
            raise self._error(words.number, words.column(count), f"{what} takes no more than this")

    # ------------------------------------------------------------------------------------------ sections

    def _format(self, words: Words) -> None:
        if words[0].upper() != "FORMAT":
            what = "a section (%header, %filter ...)" if self.has_format else "FORMAT dicom"
            raise self._error(words.number, words.column(0), f"{what} is expected before anything else")
        if self.has_format:
            raise self._error(words.number, words.column(0), "FORMAT stands once")
        if len(words) < 2 or words[1].lower() != "dicom":
            raise self._error(words.number, words.column(1), "the one format is dicom")
        self._expect_end(words, 2, "FORMAT")
        self.has_format = self.draft.has_format = True

    def _profile(self, words: Words) -> None:
        if self.draft.profile is not None:
            raise self._error(words.number, words.column(0), "PROFILE stands once in all that is read")
        try:
            profile = parse_profile(words.rest(1))
        except ProfileError as error:
            raise self._error(words.number, words.column(1) + error.offset, error.reason) from None
        self.draft.profile = ProfileLine(profile, self.source.file, words.number, words.column(0))
        self.draft.text.append(self.draft.profile)

    def _include(self, words: Words) -> None:
        name, draft = words.rest(1), self.draft
        if not name:
            raise self._error(words.number, words.column(1), "INCLUDE names a recipe")
        if name in draft.including or len(draft.including) > MOST_INCLUDED:
            raise self._error(words.number, words.column(1), "this recipe includes itself")
        outer, draft.including, draft.includes = draft.including, (*draft.including, name), True
        Parser(self._found(words, name), draft).parse()
        draft.including = outer

    def _found(self, words: Words, name: str) -> RecipeText:
        try:
            return self.draft.find(name)
        except RecipeError:
            raise
        except Misconfigured:
            raise self._error(words.number, words.column(1), f"there is no recipe {name}") from None

    def _open_section(self, words: Words) -> None:
        self._close_label()
        section, name = words[0][1:].lower(), words.rest(1)
        if not self.has_format:
            raise self._error(words.number, words.column(0), "FORMAT dicom is expected before anything else")
        if section not in _SECTIONS:
            known = {word: f"%{word}" for word in _SECTIONS}
            raise self._error(words.number, words.column(0), f"there is no section {words[0]}" + hint(section, known))
        if section in ("header", "profile", "labels"):
            self._expect_end(words, 1, words[0])
        elif not name:
            raise self._error(words.number, words.column(1), f"{words[0]} needs a name")
        self.section, self.section_name = section, name
        lists = {"filter": self.draft.filters, "fields": self.draft.fields_lists, "values": self.draft.values_lists}
        if section in lists:
            lists[section].setdefault(name, [])  # type: ignore[attr-defined]

    # ------------------------------------------------------------------------------------------ %header

    def _header(self, words: Words, line: str) -> None:
        action = self._action(words)
        text = self._field_text(words, action)
        selector: Selector | str | None
        of_values = None
        if text.lower().startswith("values:"):
            selector, of_values = parse_field("ALL"), self._values_field(words, action, text)
        elif text.lower().startswith("fields:"):
            selector = self._fields_name(words, action, text)
        else:
            selector = self._attribute(words, action, text)
        value, values_list = self._value(words, action)
        if selector is not None and value is not None and value.kind == "code" and not _is_code_sequence(selector):
            raise self._error(words.number, words.column(1), "code: is a value of a sequence")
        if of_values and values_list:
            raise self._error(words.number, words.column(2), "one values: list is enough")
        if selector is not None:
            at = (words.number, words.column(0), self.source.file)
            of_profile = self.section == "profile"
            self.draft.add(Rule(action, text, value, *at, of_values or values_list, of_profile), selector)

    def _action(self, words: Words) -> Action:
        known = {action.value.lower(): action.value for action in Action}
        if words[0].lower() not in known:
            reason = f"{words[0]} is no action" + hint(words[0], known)
            raise self._error(words.number, words.column(0), reason)
        return Action(words[0].upper())

    def _field_text(self, words: Words, what: str) -> str:
        if len(words) < 2:
            raise self._error(words.number, words.column(1), f"{what} needs a field")
        if words[1].count('"') % 2:
            raise self._error(words.number, words.column(1) + words[1].index('"'), "a quotation mark is not closed")
        return words[1]

    def _attribute(self, words: Words, action: Action, text: str) -> Selector | None:
        """What a FIELD that is no list matches; None where it names nothing that a rule could change."""
        selector = self._selector(words, text)
        if selector is None or self._is_file_meta(words, selector):
            return None
        self._check_attribute(words, action, selector)
        return self._place(words, selector) if action is Action.ADD else selector

    def _selector(self, words: Words, text: str, column: int | None = None) -> Selector | None:
        """The selector of a FIELD; None for one that names nothing, where that is allowed."""
        column = words.column(1) if column is None else column
        try:
            return parse_field(text)
        except UnknownAttribute as error:
            if not self.source.lenient:
                raise self._error(words.number, column + error.offset, error.reason) from None
            self._warn(words.number, column, error.reason)
            return None
        except FieldError as error:
            raise self._error(words.number, column + error.offset, error.reason) from None

    def _is_file_meta(self, words: Words, selector: Selector) -> bool:
        groups = {tag >> 16 for tag in attribute_tags(selector)}
        if groups & {0x0000, 0xFFFE}:
            raise self._error(words.number, words.column(1), "no dataset holds this element")
        if groups != {0x0002}:
            return False
        self._warn(
            words.number,
            words.column(1),
            "File Meta Information is always written by sendit itself; the rule does nothing",
        )
        return True

    def _check_attribute(self, words: Words, action: Action, selector: Selector) -> None:
        if action is not Action.KEEP and set(attribute_tags(selector)) & PROTECTED:
            reason = f"{words[1]} says what the bytes are; no rule changes it"
            raise self._error(words.number, words.column(1), reason)
        if action in (Action.REPLACE, Action.JITTER, Action.ADD) and is_sequence(selector) and not is_coded(words):
            raise self._error(words.number, words.column(1), f"{words[1]} is a sequence; {action} what it holds")
        if action is Action.CLEAN and any(default_vr(tag) in NUMBERS for tag in attribute_tags(selector)):
            raise self._error(words.number, words.column(1), f"{words[1]} is a number; there is nothing to clean")

    def _place(self, words: Words, selector: Selector) -> Path:
        """The one place that an ADD names."""
        place = Path((), selector) if isinstance(selector, Keyword | Tag) else selector
        if not isinstance(place, Path) or not isinstance(place.leaf, Keyword | Tag):
            raise self._error(words.number, words.column(1), "ADD names one public attribute, by keyword or tag")
        tag = only_tag(place.leaf)
        if tag is None or is_private(tag):
            raise self._error(words.number, words.column(1), "ADD names one public attribute, by keyword or tag")
        if any(index is None for _, index in place.sequences):
            reason = "ADD says which item: Sequence__0__Attribute"
            raise self._error(words.number, words.column(1), reason)
        return Path(place.sequences, Tag(tag))

    # ------------------------------------------------------------------------------------------ values of rules

    def _value(self, words: Words, action: Action) -> tuple[Value | None, str | None]:
        """A rule's value, and the %values list that it may name instead."""
        text, at = words.rest(2), words.column(2)
        if action in (Action.KEEP, Action.BLANK):
            self._expect_end(words, 2, action)
            return None, None
        if not text and action in (Action.REMOVE, Action.CLEAN):
            return None, None
        if not text:
            raise self._error(words.number, at, f"{action} needs a value")
        if action is Action.REMOVE and text.lower().startswith("values:"):
            return None, self._list_name(words, text, at)
        value = parse_value(words, text)
        if action is Action.REMOVE and value.kind != "func":
            raise self._error(words.number, at, "a value of REMOVE is func: or values:")
        if action is Action.JITTER and not is_days(value):
            raise self._error(words.number, at, "a value of JITTER is a whole number of days, var: or func:")
        if action is Action.CLEAN and (not is_days(value) or value.kind == "func"):
            raise self._error(words.number, at, "a value of CLEAN is a whole number of days, or var:")
        return value, None

    def _values_field(self, words: Words, action: Action, text: str) -> str:
        if action in (Action.ADD, Action.KEEP, Action.CLEAN):
            raise self._error(words.number, words.column(1), f"{action} cannot be of a values: list")
        return self._list_name(words, text, words.column(1))

    def _list_name(self, words: Words, text: str, column: int) -> str:
        name = text.partition(":")[2].strip()
        if not name:
            raise self._error(words.number, column, "the list's name is missing")
        return name

    def _fields_name(self, words: Words, action: Action, text: str) -> str:
        if action is Action.ADD:
            raise self._error(words.number, words.column(1), "ADD names one public attribute, by keyword or tag")
        return self._list_name(words, text, words.column(1))

    # ------------------------------------------------------------------------------------------ %fields, %values

    def _fields(self, words: Words, line: str) -> None:
        if words[0].upper() != "FIELD":
            raise self._error(words.number, words.column(0), "a %fields list is made of FIELD lines")
        selector = self._member(words)
        self._expect_end(words, 2, "FIELD")
        if selector is not None:
            self.draft.fields_lists[self.section_name].append((words[1], selector))

    def _values(self, words: Words, line: str) -> None:
        if words[0].upper() not in ("FIELD", "SPLIT"):
            raise self._error(words.number, words.column(0), "a %values list is made of FIELD and SPLIT lines")
        selector = self._member(words)
        if words[0].upper() == "FIELD":
            self._expect_end(words, 2, "FIELD")
            by, minlength = None, 1
        else:
            by, minlength = self._split_options(words)
        if selector is not None:
            self.draft.values_lists[self.section_name].append(ValuesSource(selector, by, minlength))

    def _member(self, words: Words) -> Selector | None:
        text = self._field_text(words, words[0].upper())
        if text.lower().startswith(("fields:", "values:")):
            raise self._error(words.number, words.column(1), "a list is not made of lists")
        return self._selector(words, text)

    def _split_options(self, words: Words) -> tuple[str, int]:
        by, minlength = " ", 1
        for match in re.finditer(r"\s*([^=;]*?)\s*=\s*('[^']*'|\"[^\"]*\"|[^;]*?)\s*(?:;|$)|(\S+)", words.rest(2)):
            name, value = (match[1] or "").lower(), (match[2] or "").strip("'\"")
            if name in ("by", "splitval") and value:
                by = value
            elif name == "minlength" and re.fullmatch(r"[1-9]\d{0,3}", value):
                minlength = int(value)
            else:
                column = words.column(2) + match.start()
                raise self._error(words.number, column, "SPLIT takes by=<text> and minlength=<number>, a ; between")
        return by, minlength

    # ------------------------------------------------------------------------------------------ %labels

    def _labels(self, words: Words, line: str) -> None:
        self._action(words)
        self.draft.labels.append((self._field_text(words, words[0].upper()), words.rest(2)))

    # ------------------------------------------------------------------------------------------ %filter

    def _filter(self, words: Words, line: str) -> None:
        if words[0].upper() == "LABEL":
            self._open_label(words, line)
        elif self.label is None:
            raise self._error(words.number, words.column(0), "a LABEL is expected before its criteria")
        else:
            self._criteria(words.number, line)

    def _open_label(self, words: Words, line: str) -> None:
        self._close_label()
        text = line.split("#", 1)[0].split(None, 1)[1:]
        if not text or not text[0].strip():
            raise self._error(words.number, words.column(1), "LABEL needs a text")
        self.label = Label(text[0].strip(), words.number, self.source.file)

    def _criteria(self, number: int, line: str) -> None:
        text = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].rstrip()
        indent = len(text) - len(text.lstrip())
        try:
            if is_coordinates(text.strip()):
                self.regions.append(parse_coordinates(text.strip()))
                return
            if is_detect(text.strip()):
                self._detect(number, indent, text.strip())
                return
            check, unknown = parse_check(text.strip(), self.source.lenient)
        except FieldError as error:
            raise self._error(number, indent + 1 + error.offset, error.reason) from None
        for absent in unknown:
            self._warn(number, indent + 1 + absent.offset, absent.reason)
        if self.checks and not check.operator and self.section_name.lower() == "whitelist":
            raise self._error(number, indent + 1, "in a whitelist, say whether + or || joins this line to the others")
        self.checks.append(check)

    def _detect(self, number: int, indent: int, text: str) -> None:
        looking = parse_detect(text)
        if self.section_name.lower() != "graylist":
            raise self._error(number, indent + 1, "detect text stands under a LABEL of %filter graylist")
        if self.looking is not None:
            raise self._error(number, indent + 1, "detect stands once under a LABEL")
        self.looking = looking

    def _close_label(self) -> None:
        if self.label is None:
            return
        checks, regions = tuple(self.checks), tuple(self.regions)
        label = Label(self.label.text, self.label.line, self.label.file, checks, regions, self.looking)
        if not label.checks and not label.speaks_of_pixels:
            raise self._error(label.line, 1, "this LABEL has no criteria")
        self.draft.filters[self.section_name].append(label)
        self.label, self.checks, self.regions, self.looking = None, [], [], None


def _is_code_sequence(selector: Selector | str) -> bool:
    return not isinstance(selector, str) and is_sequence(selector)


_TOP_LINES: dict[str, Callable[[Parser, Words], None]] = {"PROFILE": Parser._profile, "INCLUDE": Parser._include}
"""What may stand between FORMAT and the first section."""

MOST_INCLUDED = 16

_SECTIONS: dict[str, Callable[[Parser, Words, str], None]] = {
    "header": Parser._header,
    "profile": Parser._header,
    "filter": Parser._filter,
    "fields": Parser._fields,
    "values": Parser._values,
    "labels": Parser._labels,
}
