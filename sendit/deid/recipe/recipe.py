"""Recipes: found by name or path, read strictly, and asked what befalls an element. Reads no DICOM file.

`docs/recipes.md` is the language's manual, with the table of differences from deid.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sendit.deid.recipe.addresses import Field
from sendit.deid.recipe.ctp.pixel_script import SUFFIX, as_recipe
from sendit.deid.recipe.deid_functions import DEID_FUNCTIONS
from sendit.deid.recipe.departures import Departure, departures
from sendit.deid.recipe.draft import Draft, ProfileLine
from sendit.deid.recipe.filters import Filter
from sendit.deid.recipe.parser import Parser
from sendit.deid.recipe.precedence import Decisions, RuleSet
from sendit.deid.recipe.profile import CLEAN_PIXEL_DATA, Profile
from sendit.deid.recipe.profile_rules import clauses, said, text_of
from sendit.deid.recipe.recipe_lines import RecipeError, RecipeText
from sendit.deid.recipe.rules import Action, Addition, BoundRule, Decision, Rule, Step, Value
from sendit.deid.recipe.value_lists import ValuesSource, extract_values
from sendit.errors import Misconfigured, suggestion

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


@dataclass(frozen=True)
class Recipe:
    """A parsed recipe, or several combined.

    Parameters
    ----------
    name : str
        The name or path it was loaded by.
    text : str
        Its text; of several, one after the other, with the lines that PROFILE and INCLUDE stand for in their places.
    sha256 : str
        The SHA-256 of the text, hexadecimal.
    rules : tuple of Rule
        The lines of %profile and %header, in order.
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
    profile : Profile, optional
        What its PROFILE line chooses.
    profile_of : str
        The recipe whose PROFILE line it is; empty where there is none.
    parts : tuple of RecipeText
        The texts that it was made of, without what they include.
    files : tuple of str
        The files that were read for it, those that are included too; none of a shipped recipe.
    exceptions : tuple of Rule
        Its own rules that retain what that profile takes away; then no output claims the profile.
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
    profile: Profile | None
    profile_of: str
    exceptions: tuple[Rule, ...]
    ruleset: RuleSet = field(repr=False, compare=False)
    parts: tuple[RecipeText, ...] = field(default=(), repr=False, compare=False)
    files: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @property
    def uses_indices(self) -> bool:
        """Whether a rule tells the items of a sequence apart, so that `Field.indices` is wanted."""
        return self.ruleset.uses_indices

    @property
    def uses_values(self) -> bool:
        """Whether a rule asks for a %values list."""
        return self.ruleset.uses_values

    @property
    def uses_types(self) -> bool:
        """Whether a rule asks for the Type that an attribute has in the file's IOD, so that the SOP class is wanted."""
        return self.ruleset.uses_types

    @property
    def cleans(self) -> bool:
        """Whether a rule leaves of values what does not identify, so that what does is to be known."""
        return self.ruleset.cleans

    @property
    def cleans_pixels(self) -> bool:
        """Whether its profile has Clean Pixel Data, so that images of a graylist pass once their pixels are clean."""
        return self.profile is not None and self.profile.has(CLEAN_PIXEL_DATA)

    @property
    def calls(self) -> bool:
        """Whether a rule calls a registered function, which is given the whole image."""
        return self.ruleset.calls

    @property
    def removes_all_private(self) -> bool:
        """Whether every private element goes, whatever it is."""
        return self.ruleset.removes_all_private

    def decide(self, field: Field) -> Decision:
        """What the rules do to a present element; depends on its address alone. Precedence: docs/recipes.md."""
        return self.ruleset.decide(field)

    def decisions_at(self, path: tuple[int, ...], indices: tuple[int, ...], sop_class_uid: str) -> Decisions:
        """The decisions for the elements of one dataset, by tag, VR and Private Creator."""
        return self.ruleset.decisions_at(path, indices, sop_class_uid)

    @property
    def additions(self) -> tuple[Addition, ...]:
        """The places that ADD rules name, each with the steps that follow where nothing is there."""
        return self.ruleset.additions

    def extract_values(self, dataset: Dataset) -> dict[str, frozenset[str]]:
        """The terms of each %values list in one image's dataset, by the list's name."""
        return extract_values(dataset, self.values_lists)


# ---------------------------------------------------------------------------------------------- finding recipes

SHIPPED = Path(__file__).with_name("recipes")
_DEID_NAME = re.compile(r"dicom(\.\w+)*")


def load_recipe(name_or_path: str | Path) -> Recipe:
    """The recipe of that name or path, or several combined.

    Parameters
    ----------
    name_or_path : str or Path
        A shipped recipe's name (`research`), a name of the `deid` package's own (`dicom`, `dicom.xray.chest`,
        `dicom.ultrasound`), a path (of a recipe, or of a script of CTP's DicomPixelAnonymizer, `.script`), or several
        of these with commas between. Rules and filters of later ones follow.

    Raises
    ------
    RecipeError
        A line cannot be understood.
    Misconfigured
        UnknownRecipe: there is none of that name.
    """
    if isinstance(name_or_path, Path):
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
    if Path(name).is_file():
        return _read(Path(name))
    if _DEID_NAME.fullmatch(name) and folder is None:
        raise Misconfigured("UnknownRecipe", subject=f"{name}: install the deid package, whose recipe it is")
    raise Misconfigured("UnknownRecipe", subject=name + suggestion(name, _shipped()))


def _shipped() -> list[str]:
    return sorted(path.stem for path in SHIPPED.glob("*.recipe"))


def _deid_folder() -> Path | None:
    """Where the `deid` package has its recipes, without importing it: that would load matplotlib and more."""
    spec = importlib.util.find_spec("deid")
    places = spec.submodule_search_locations if spec else None
    return Path(places[0], "data") if places else None


def _read(path: Path) -> RecipeText:
    try:
        found = RecipeText(str(path), path.read_text("utf-8-sig"), path=str(path.absolute()))
    except OSError:
        raise Misconfigured("UnknownRecipe", subject=str(path)) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise RecipeError(str(path), line, 1, "the text is not UTF-8") from None
    return as_recipe(found) if path.suffix.lower() == SUFFIX else found


def parse_recipe(text: str, file: str = "<recipe>") -> Recipe:
    """A recipe from its text; RecipeError where a line cannot be understood."""
    return parse_recipes([RecipeText(file, text)], file)


def parse_recipes(texts: Iterable[RecipeText], name: str) -> Recipe:
    """Several recipes as one: sections of the same kind and name are joined in order."""
    sources, read = list(texts), list[RecipeText]()

    def find(name: str) -> RecipeText:
        read.append(find_recipe(name))
        return read[-1]

    draft = Draft(find)
    for source in sources:
        Parser(source, draft).parse()
    own = draft.bound_rules()
    exceptions = departures(draft.profile.profile, own) if draft.profile else ()
    rules = [*_profile_rules(draft.profile, exceptions), *own]
    text = _text(draft, sources, exceptions)
    return Recipe(
        name=name,
        text=text,
        sha256=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        rules=tuple(bound.rule for bound in rules),
        filters=tuple(Filter(name, tuple(labels)) for name, labels in draft.filters.items()),
        fields_lists={name: tuple(text for text, _ in fields) for name, fields in draft.fields_lists.items()},
        values_lists={name: tuple(sources) for name, sources in draft.values_lists.items()},
        labels=tuple(draft.labels),
        warnings=tuple(draft.warnings),
        profile=draft.profile.profile if draft.profile else None,
        profile_of=draft.profile.file if draft.profile else "",
        exceptions=tuple(one.rule for one in exceptions),
        ruleset=RuleSet(rules),
        parts=tuple(sources),
        files=tuple(one.path for one in (*sources, *read) if one.path),
    )


def _profile_rules(chosen: ProfileLine | None, exceptions: tuple[Departure, ...]) -> Iterator[BoundRule]:
    if chosen is not None:
        for clause in (*clauses(chosen.profile), said(chosen.profile, exceptions)):
            yield from (line.bound(chosen.file, chosen.line, chosen.column) for line in clause.lines)


def _text(draft: Draft, sources: list[RecipeText], exceptions: tuple[Departure, ...]) -> str:
    if len(sources) == 1 and draft.is_plain:
        return sources[0].text
    return "\n".join(
        text_of(line.profile, exceptions) if isinstance(line, ProfileLine) else line for line in draft.text
    )
