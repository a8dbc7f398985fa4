"""The recipe language of pydicom/deid, parsed strictly: text in, rules and filters out. Reads no DICOM file.

`docs/recipes.md` is its manual, with the table of differences from deid.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from sendit.deid.filters import (
    Check,
    Filter,
    Label,
    Region,
    RegionsFrom,
    is_coordinates,
    parse_check,
    parse_coordinates,
)
from sendit.deid.rules import (
    PROTECTED,
    Action,
    Addition,
    BoundRule,
    Decision,
    Field,
    Rule,
    RuleSet,
    Step,
    Value,
)
from sendit.deid.selectors import (
    AnyOf,
    FieldError,
    Keyword,
    Path,
    Selector,
    Tag,
    UnknownAttribute,
    hint,
    is_private,
    known_vr,
    only_tag,
    parse_field,
    tags_of,
)
from sendit.deid.value_lists import ValuesSource, extract_values
from sendit.errors import Misconfigured

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = [
    "DEID_FUNCTIONS",
    "Action",
    "Addition",
    "Decision",
    "Field",
    "Recipe",
    "RecipeError",
    "Rule",
    "Step",
    "Value",
    "ValuesSource",
    "load_recipe",
    "parse_recipe",
]

DEID_FUNCTIONS: dict[str, dict[str, str]] = {
    "cap_age": {"max": r"\d{1,3}"},
    "jitter": {"days": r"[+-]?\d+", "years": r"[+-]?\d+"},
    "pydicom_uuid": {"prefix": r"(0|[1-9]\d*)(\.(0|[1-9]\d*))*\.", "stable_remapping": r"true"},
    "dicom_uuid": {"org_root": r"(0|[1-9]\d*)(\.(0|[1-9]\d*))*"},
    "basic_uuid": {},
    "suffix_uuid": {},
}
"""The functions of `deid_func:`, and the form of each option."""


class RecipeError(Misconfigured):
    """A line of a recipe cannot be understood; `str()` shows file:line:column and the reason."""

    def __init__(self, file: str, line: int, column: int, reason: str) -> None:
        self.file, self.line, self.column, self.reason = file, line, column, reason
        super().__init__("BadRecipe", subject=f"{file}:{line}:{column}: {reason}")

    def __reduce__(self) -> tuple[object, ...]:
        return (RecipeError, (self.file, self.line, self.column, self.reason))


@dataclass(frozen=True)
class Recipe:
    """A parsed recipe, or several combined.

    Parameters
    ----------
    name : str
        The name or path it was loaded by.
    text : str
        Its text; of several, one after the other.
    sha256 : str
        The SHA-256 of the text, hexadecimal.
    rules : tuple of Rule
        The lines of %header, in order.
    filters : tuple of Filter
        The %filter sections, in order.
    fields_lists : mapping of str to tuple of str
        The %fields lists: the FIELDs of each.
    values_lists : mapping of str to tuple of ValuesSource
        The %values lists.
    labels : tuple of (str, str)
        The names and values of %labels.
    warnings : tuple of str
        What was read and does nothing, with file:line:column.
    """

    name: str
    text: str
    sha256: str
    rules: tuple[Rule, ...]
    filters: tuple[Filter, ...]
    fields_lists: Mapping[str, tuple[str, ...]]
    values_lists: Mapping[str, tuple[ValuesSource, ...]]
    labels: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    ruleset: RuleSet = field(repr=False, compare=False)

    @property
    def uses_indices(self) -> bool:
        """Whether a rule tells the items of a sequence apart, so that `Field.indices` is wanted."""
        return self.ruleset.uses_indices

    @property
    def uses_values(self) -> bool:
        """Whether a rule asks for a %values list."""
        return self.ruleset.uses_values

    @property
    def removes_all_private(self) -> bool:
        """Whether every private element goes, whatever it is."""
        return self.ruleset.removes_all_private

    def decide(self, field: Field) -> Decision:
        """What the rules do to a present element; depends on its address alone. Precedence: docs/recipes.md."""
        return self.ruleset.decide(field)

    def additions(self) -> tuple[Addition, ...]:
        """The places that ADD rules name, each with the steps that follow where nothing is there."""
        return self.ruleset.additions()

    def extract_values(self, dataset: Dataset) -> dict[str, frozenset[str]]:
        """The terms of each %values list in one image's dataset, by the list's name."""
        return extract_values(dataset, self.values_lists)


# ---------------------------------------------------------------------------------------------- finding recipes

SHIPPED = FilePath(__file__).with_name("recipes")
_DEID_NAME = re.compile(r"dicom(\.\w+)*")


@dataclass(frozen=True, slots=True)
class RecipeText:
    """A recipe's text and where it came from; `lenient` for those of the `deid` package, which name what is not."""

    file: str
    text: str
    lenient: bool = False


def load_recipe(name_or_path: str | FilePath) -> Recipe:
    """The recipe of that name or path, or several combined.

    Parameters
    ----------
    name_or_path : str or Path
        A shipped recipe's name (`research`), a name of the `deid` package's own (`dicom`, `dicom.xray.chest`,
        `dicom.ultrasound`), a path, or several of these with commas between. Rules and filters of later ones follow.

    Raises
    ------
    RecipeError
        A line cannot be understood.
    Misconfigured
        UnknownRecipe: there is none of that name.
    """
    if isinstance(name_or_path, FilePath):
        return parse_recipes([_read(name_or_path)], str(name_or_path))
    names = [name.strip() for name in name_or_path.split(",")]
    return parse_recipes([find_recipe(name) for name in names], ",".join(names))


def find_recipe(name: str) -> RecipeText:
    """The text of one recipe by name or path."""
    shipped = SHIPPED / f"{name}.recipe"
    if re.fullmatch(r"[\w-]+", name) and shipped.is_file():
        return RecipeText(name, shipped.read_text("utf-8"))
    folder = _deid_folder() if _DEID_NAME.fullmatch(name) else None
    if folder and (folder / f"deid.{name}").is_file():
        return RecipeText(f"deid.{name}", (folder / f"deid.{name}").read_text("utf-8"), lenient=True)
    if FilePath(name).is_file():
        return _read(FilePath(name))
    if _DEID_NAME.fullmatch(name) and folder is None:
        raise Misconfigured("UnknownRecipe", subject=f"{name}: install the deid package, whose recipe it is")
    raise Misconfigured("UnknownRecipe", subject=name)


def _deid_folder() -> FilePath | None:
    """Where the `deid` package has its recipes, without importing it: that would load matplotlib and more."""
    spec = importlib.util.find_spec("deid")
    places = spec.submodule_search_locations if spec else None
    return FilePath(places[0], "data") if places else None


def _read(path: FilePath) -> RecipeText:
    try:
        return RecipeText(str(path), path.read_text("utf-8-sig"))
    except OSError:
        raise Misconfigured("UnknownRecipe", subject=str(path)) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise RecipeError(str(path), line, 1, "the text is not UTF-8") from None


def parse_recipe(text: str, file: str = "<recipe>") -> Recipe:
    """A recipe from its text; RecipeError where a line cannot be understood."""
    return parse_recipes([RecipeText(file, text)], file)


def parse_recipes(texts: Iterable[RecipeText], name: str) -> Recipe:
    """Several recipes as one: sections of the same kind and name are joined in order."""
    draft = _Draft()
    texts = list(texts)
    for text in texts:
        _Parser(text, draft).parse()
    return draft.finish(name, "\n".join(text.text for text in texts))


# ---------------------------------------------------------------------------------------------- parsing


@dataclass(frozen=True, slots=True)
class _Words:
    """A line's words with the column of each; `rest(n)` is the text from the n-th word on, its comment gone."""

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


_WORD = re.compile(r'(?:[^\s"]|"[^"]*"|"(?=[^"]*$))+')
_COMMENT = re.compile(r'"[^"]*"|#')


def _without_comment(text: str) -> str:
    for match in _COMMENT.finditer(text):
        if match[0] == "#":
            return text[: match.start()].rstrip()
    return text.rstrip()


def _words(number: int, line: str) -> _Words:
    text = _without_comment(line)
    return _Words(number, text, tuple(match.span() for match in _WORD.finditer(text)))


@dataclass
class _Draft:
    """What the parser has gathered; lists may be used before they are made, so rules are bound at the end."""

    rules: list[Rule] = field(default_factory=list)
    selectors: list[Selector | str] = field(default_factory=list)
    filters: dict[str, list[Label]] = field(default_factory=dict)
    fields_lists: dict[str, list[tuple[str, Selector]]] = field(default_factory=dict)
    values_lists: dict[str, list[ValuesSource]] = field(default_factory=dict)
    labels: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, rule: Rule, selector: Selector | str) -> None:
        """One rule; its selector, or the name of the %fields list that it is of."""
        self.rules.append(rule)
        self.selectors.append(selector)

    def finish(self, name: str, text: str) -> Recipe:
        bound = [self._bind(rule, selector) for rule, selector in zip(self.rules, self.selectors, strict=True)]
        return Recipe(
            name=name,
            text=text,
            sha256=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
            rules=tuple(self.rules),
            filters=tuple(Filter(name, tuple(labels)) for name, labels in self.filters.items()),
            fields_lists={name: tuple(text for text, _ in fields) for name, fields in self.fields_lists.items()},
            values_lists={name: tuple(sources) for name, sources in self.values_lists.items()},
            labels=tuple(self.labels),
            warnings=tuple(self.warnings),
            ruleset=RuleSet(bound),
        )

    def _bind(self, rule: Rule, selector: Selector | str) -> BoundRule:
        if rule.values_list is not None and rule.values_list not in self.values_lists:
            raise _no_list(rule, "values", rule.values_list, self.values_lists)
        if not isinstance(selector, str):
            return BoundRule(rule, selector)
        if selector not in self.fields_lists:
            raise _no_list(rule, "fields", selector, self.fields_lists)
        members = AnyOf(tuple(member for _, member in self.fields_lists[selector]))
        if rule.action in (Action.REPLACE, Action.JITTER):
            for text, member in self.fields_lists[selector]:
                if _is_sequence(member):
                    raise RecipeError(rule.file, rule.line, rule.column, f"{text} of this list is a sequence")
        return BoundRule(rule, members)


def _no_list(rule: Rule, kind: str, name: str, lists: Iterable[str]) -> RecipeError:
    known = {word.lower(): word for word in lists}
    return RecipeError(rule.file, rule.line, rule.column, f"there is no %{kind} {name}" + hint(name, known))


def _attribute_tags(selector: Selector) -> tuple[int, ...]:
    leaf = selector.leaf if isinstance(selector, Path) else selector
    return tags_of(leaf) if isinstance(leaf, Keyword | Tag) else ()


def _is_sequence(selector: Selector) -> bool:
    return any(known_vr(tag) == "SQ" for tag in _attribute_tags(selector))


class _Parser:
    """One text, line by line. `section` says what a line means; an open LABEL collects the lines under it."""

    def __init__(self, source: RecipeText, draft: _Draft) -> None:
        self.source, self.draft = source, draft
        self.section: str | None = None
        self.section_name = ""
        self.has_format = False
        self.label: Label | None = None
        self.checks: list[Check] = []
        self.regions: list[Region | RegionsFrom] = []

    def parse(self) -> None:
        """Read every line into the draft."""
        lines = self.source.text.splitlines()
        for number, line in enumerate(lines, start=1):
            words = _words(number, line)
            if len(words):
                self._line(words, line)
        self._close_label()
        if not self.has_format:
            raise self._error(1, 1, "a recipe begins with FORMAT dicom")

    def _line(self, words: _Words, line: str) -> None:
        if words[0].startswith("%"):
            self._open_section(words)
        elif self.section is None:
            self._format(words)
        else:
            _SECTIONS[self.section](self, words, line)

    def _error(self, line: int, column: int, reason: str) -> RecipeError:
        return RecipeError(self.source.file, line, column, reason)

    def _warn(self, line: int, column: int, reason: str) -> None:
        self.draft.warnings.append(f"{self.source.file}:{line}:{column}: {reason}")

    def _expect_end(self, words: _Words, count: int, what: str) -> None:
        if len(words) > count:
            raise self._error(words.number, words.column(count), f"{what} takes no more than this")

    # ------------------------------------------------------------------------------------------ sections

    def _format(self, words: _Words) -> None:
        if words[0].upper() != "FORMAT":
            what = "a section (%header, %filter ...)" if self.has_format else "FORMAT dicom"
            raise self._error(words.number, words.column(0), f"{what} is expected before anything else")
        if self.has_format:
            raise self._error(words.number, words.column(0), "FORMAT stands once")
        if len(words) < 2 or words[1].lower() != "dicom":
            raise self._error(words.number, words.column(1), "the one format is dicom")
        self._expect_end(words, 2, "FORMAT")
        self.has_format = True

    def _open_section(self, words: _Words) -> None:
        self._close_label()
        section, name = words[0][1:].lower(), words.rest(1)
        if not self.has_format:
            raise self._error(words.number, words.column(0), "FORMAT dicom is expected before anything else")
        if section not in _SECTIONS:
            known = {word: f"%{word}" for word in _SECTIONS}
            raise self._error(words.number, words.column(0), f"there is no section {words[0]}" + hint(section, known))
        if section in ("header", "labels"):
            self._expect_end(words, 1, words[0])
        elif not name:
            raise self._error(words.number, words.column(1), f"{words[0]} needs a name")
        self.section, self.section_name = section, name
        lists = {"filter": self.draft.filters, "fields": self.draft.fields_lists, "values": self.draft.values_lists}
        if section in lists:
            lists[section].setdefault(name, [])  # type: ignore[attr-defined]

    # ------------------------------------------------------------------------------------------ %header

    def _header(self, words: _Words, line: str) -> None:
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
        if of_values and values_list:
            raise self._error(words.number, words.column(2), "one values: list is enough")
        if selector is not None:
            at = (words.number, words.column(0), self.source.file)
            self.draft.add(Rule(action, text, value, *at, of_values or values_list), selector)

    def _action(self, words: _Words) -> Action:
        known = {action.value.lower(): action.value for action in Action}
        if words[0].lower() not in known:
            reason = f"{words[0]} is no action" + hint(words[0], known)
            raise self._error(words.number, words.column(0), reason)
        return Action(words[0].upper())

    def _field_text(self, words: _Words, what: str) -> str:
        if len(words) < 2:
            raise self._error(words.number, words.column(1), f"{what} needs a field")
        if words[1].count('"') % 2:
            raise self._error(words.number, words.column(1) + words[1].index('"'), "a quotation mark is not closed")
        return words[1]

    def _attribute(self, words: _Words, action: Action, text: str) -> Selector | None:
        """What a FIELD that is no list matches; None where it names nothing that a rule could change."""
        selector = self._selector(words, text)
        if selector is None or self._is_file_meta(words, selector):
            return None
        self._check_attribute(words, action, selector)
        return self._place(words, selector) if action is Action.ADD else selector

    def _selector(self, words: _Words, text: str, column: int | None = None) -> Selector | None:
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

    def _is_file_meta(self, words: _Words, selector: Selector) -> bool:
        groups = {tag >> 16 for tag in _attribute_tags(selector)}
        if groups & {0x0000, 0xFFFE}:
            raise self._error(words.number, words.column(1), "no dataset holds this element")
        if groups != {0x0002}:
            return False
        self._warn(words.number, words.column(1), "File Meta Information is always written anew; the rule does nothing")
        return True

    def _check_attribute(self, words: _Words, action: Action, selector: Selector) -> None:
        if action is not Action.KEEP and set(_attribute_tags(selector)) & PROTECTED:
            reason = f"{words[1]} says what the bytes are; no rule changes it"
            raise self._error(words.number, words.column(1), reason)
        if action in (Action.REPLACE, Action.JITTER, Action.ADD) and _is_sequence(selector):
            raise self._error(words.number, words.column(1), f"{words[1]} is a sequence; {action} what it holds")

    def _place(self, words: _Words, selector: Selector) -> Path:
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

    def _value(self, words: _Words, action: Action) -> tuple[Value | None, str | None]:
        """A rule's value, and the %values list that it may name instead."""
        text, at = words.rest(2), words.column(2)
        if action in (Action.KEEP, Action.BLANK):
            self._expect_end(words, 2, action)
            return None, None
        if not text and action is Action.REMOVE:
            return None, None
        if not text:
            raise self._error(words.number, at, f"{action} needs a value")
        if action is Action.REMOVE and text.lower().startswith("values:"):
            return None, self._list_name(words, text, at)
        value = self._parse_value(words, text)
        if action is Action.REMOVE and value.kind != "func":
            raise self._error(words.number, at, "a value of REMOVE is func: or values:")
        if action is Action.JITTER and not _is_days(value):
            raise self._error(words.number, at, "a value of JITTER is a whole number of days, var: or func:")
        return value, None

    def _parse_value(self, words: _Words, text: str) -> Value:
        kind, colon, name = text.partition(":")
        if not colon or kind.lower() not in ("var", "func", "deid_func"):
            return Value("literal", text)
        kind, at = kind.lower(), words.column(2) + len(kind) + 1
        function, *options = name.split() or [""]
        if not re.fullmatch(r"\w[\w.-]*", function):
            raise self._error(words.number, at, f"{kind}: goes on with a name")
        if kind == "deid_func":
            return Value(kind, function, tuple(self._options(words, function, options, at)))
        if options:
            raise self._error(words.number, words.column(3), f"{kind}: takes a name and nothing else")
        return Value(kind, function)

    def _options(self, words: _Words, function: str, options: list[str], at: int) -> Iterator[tuple[str, str]]:
        known = DEID_FUNCTIONS.get(function)
        if known is None:
            reason = f"there is no deid_func:{function}, only " + ", ".join(DEID_FUNCTIONS)
            raise self._error(words.number, at, reason)
        for number, option in enumerate(options):
            name, _, value = option.partition("=")
            if name not in known or not re.fullmatch(known[name], value):
                reason = f"deid_func:{function} takes " + (", ".join(f"{word}=" for word in known) or "no options")
                raise self._error(words.number, words.column(3 + number), reason)
            yield name, value

    def _values_field(self, words: _Words, action: Action, text: str) -> str:
        if action in (Action.ADD, Action.KEEP):
            raise self._error(words.number, words.column(1), f"{action} cannot be of a values: list")
        return self._list_name(words, text, words.column(1))

    def _list_name(self, words: _Words, text: str, column: int) -> str:
        name = text.partition(":")[2].strip()
        if not name:
            raise self._error(words.number, column, "the list's name is missing")
        return name

    def _fields_name(self, words: _Words, action: Action, text: str) -> str:
        if action is Action.ADD:
            raise self._error(words.number, words.column(1), "ADD names one public attribute, by keyword or tag")
        return self._list_name(words, text, words.column(1))

    # ------------------------------------------------------------------------------------------ %fields, %values

    def _fields(self, words: _Words, line: str) -> None:
        if words[0].upper() != "FIELD":
            raise self._error(words.number, words.column(0), "a %fields list is made of FIELD lines")
        selector = self._member(words)
        self._expect_end(words, 2, "FIELD")
        if selector is not None:
            self.draft.fields_lists[self.section_name].append((words[1], selector))

    def _values(self, words: _Words, line: str) -> None:
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

    def _member(self, words: _Words) -> Selector | None:
        text = self._field_text(words, words[0].upper())
        if text.lower().startswith(("fields:", "values:")):
            raise self._error(words.number, words.column(1), "a list is not made of lists")
        return self._selector(words, text)

    def _split_options(self, words: _Words) -> tuple[str, int]:
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

    def _labels(self, words: _Words, line: str) -> None:
        self._action(words)
        self.draft.labels.append((self._field_text(words, words[0].upper()), words.rest(2)))

    # ------------------------------------------------------------------------------------------ %filter

    def _filter(self, words: _Words, line: str) -> None:
        if words[0].upper() == "LABEL":
            self._open_label(words, line)
        elif self.label is None:
            raise self._error(words.number, words.column(0), "a LABEL is expected before its criteria")
        else:
            self._criteria(words.number, line)

    def _open_label(self, words: _Words, line: str) -> None:
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
            check, unknown = parse_check(text.strip(), self.source.lenient)
        except FieldError as error:
            raise self._error(number, indent + 1 + error.offset, error.reason) from None
        for absent in unknown:
            self._warn(number, indent + 1 + absent.offset, absent.reason)
        if self.checks and not check.operator and self.section_name.lower() == "whitelist":
            raise self._error(number, indent + 1, "in a whitelist, say whether + or || joins this line to the others")
        self.checks.append(check)

    def _close_label(self) -> None:
        if self.label is None:
            return
        label = Label(self.label.text, self.label.line, self.label.file, tuple(self.checks), tuple(self.regions))
        if not label.checks and not label.regions:
            raise self._error(label.line, 1, "this LABEL has no criteria")
        self.draft.filters[self.section_name].append(label)
        self.label, self.checks, self.regions = None, [], []


def _is_days(value: Value) -> bool:
    if value.kind == "literal":
        return re.fullmatch(r"[+-]?\d{1,6}", value.text) is not None
    return value.kind != "deid_func"


_SECTIONS: dict[str, Callable[[_Parser, _Words, str], None]] = {
    "header": _Parser._header,
    "filter": _Parser._filter,
    "fields": _Parser._fields,
    "values": _Parser._values,
    "labels": _Parser._labels,
}
