"""What a recipe does, told attribute by attribute with the reason: asked of the rules themselves, not of their text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from pydicom._uid_dict import UID_dictionary

from sendit.deid.recipe.addresses import Field
from sendit.deid.recipe.deid_functions import DEID_FUNCTIONS
from sendit.deid.recipe.filters import Criterion, Label, Question
from sendit.deid.recipe.outcomes import Treatment, TreatmentKind
from sendit.deid.recipe.profile import (
    BASIC,
    CLEAN_DESCRIPTORS,
    FULL_DATES,
    METHODS,
    MODIFIED_DATES,
    NOT_OFFERED,
    Profile,
    Ruling,
)
from sendit.deid.recipe.profile_rules import NOWHERE, Clause, Line, clauses
from sendit.deid.recipe.recipe import Recipe
from sendit.deid.recipe.rules import Action, Decision, Rule, Value
from sendit.deid.standard.attribute_types import OPTIONAL, UNKNOWN, types
from sendit.deid.standard.profile_table import ProfileRow, table
from sendit.deid.standard.safe_private import SafePrivate, safe_private
from sendit.deid.stream.tags import default_vr
from sendit.deid.vendors.places import RULE


@dataclass(frozen=True, slots=True)
class Unless:
    """What becomes of an attribute instead where its IOD has it with one of these Types."""

    types: tuple[str, ...]
    outcome: Treatment


@dataclass(frozen=True, slots=True)
class AttributeEntry:
    """One row of Table E.1-1: the attribute, what becomes of it, and why."""

    row: ProfileRow
    outcome: Treatment
    unless: tuple[Unless, ...]
    why: str
    rule: Rule | None


@dataclass(frozen=True, slots=True)
class FurtherElements:
    """Elements beyond the table: which, and what becomes of them, line by line of the recipe."""

    about: str
    outcomes: tuple[tuple[str, Treatment], ...]


@dataclass(frozen=True, slots=True)
class FilterEntry:
    """A filter rule: images that fit it do not go on, or in a whitelist go on at once.

    `cleaned` says that they go on once text was looked for in their pixels and blanked.
    """

    filter: str
    rule: str
    asks: str
    passes: bool
    cleaned: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """All of it."""

    recipe: Recipe
    entries: tuple[AttributeEntry, ...]
    kinds: tuple[FurtherElements, ...]
    withheld: tuple[FilterEntry, ...]
    own_rules: tuple[Rule, ...]

    @property
    def profile(self) -> Profile | None:
        """What the recipe's PROFILE line chooses."""
        return self.recipe.profile

    @property
    def edition(self) -> str:
        """The edition of PS3.15 whose table is used."""
        return table().edition

    def of(self, fate: TreatmentKind) -> Sequence[AttributeEntry]:
        """The attributes of one fate."""
        return [entry for entry in self.entries if entry.outcome.fate is fate]

    def limits(self) -> Iterator[str]:
        """What a reader might expect and the recipe does not do."""
        yield from _limits(self.recipe)


def explain(recipe: Recipe) -> Explanation:
    """What a recipe does to each attribute of PS3.15 Table E.1-1, beyond it, and which images it withholds."""
    rulings = {ruling.row.tag: ruling for ruling in recipe.profile.rulings()} if recipe.profile else {}
    return Explanation(
        recipe,
        tuple(_entry(recipe, row, rulings.get(row.tag)) for row in table().rows),
        tuple(_kinds(recipe.profile)) if recipe.profile else (),
        tuple(_withheld(recipe)),
        tuple(rule for rule in recipe.rules if not rule.of_profile),
    )


# ---------------------------------------------------------------------------------------------- one attribute


def _entry(recipe: Recipe, row: ProfileRow, ruling: Ruling | None) -> AttributeEntry:
    nowhere = NOWHERE.get(row.number >> 16) if row.is_one_attribute else None
    if nowhere:
        return AttributeEntry(row, Treatment(TreatmentKind.WRITTEN_ANEW, nowhere), (), str(ruling or "sendit"), None)
    if not row.is_one_attribute:
        decision = recipe.decide(_EXAMPLES[row.tag])
        outcome = outcome_of(decision, "LO")
        if row.tag == "private" and outcome.fate is TreatmentKind.REMOVED and not recipe.removes_all_private:
            outcome = Treatment(
                TreatmentKind.REMOVED, "removed, but for those that are known to be safe or that a line names"
            )
        return AttributeEntry(row, outcome, (), _why(decision.rule, ruling), decision.rule)
    vr = default_vr(row.number)
    decisions = _by_type(recipe, row.number, vr)
    outcome = outcome_of(decisions[OPTIONAL], vr)
    rule = decisions[OPTIONAL].rule
    why = _why(rule, ruling)
    if ruling is not None and why == str(ruling) and ruling.code == "C" and outcome.fate in _NOT_CLEAN:
        why = f"{ruling}; it cannot be cleaned, so {BASIC}: {row.basic}"
    return AttributeEntry(row, outcome, tuple(_unless(decisions, outcome, vr)), why, rule)


_NOT_CLEAN = (TreatmentKind.REMOVED, TreatmentKind.EMPTIED, TreatmentKind.FIXED)


_EXAMPLES = {
    "50xxxxxx": Field((), 0x50003000, "OW"),
    "60xx3000": Field((), 0x60003000, "OW"),
    "60xx4000": Field((), 0x60004000, "LT"),
    "private": Field((), 0x00111001, "LO", "A CREATOR"),
}
"""Elements that stand for the rows of more than one."""


def _by_type(recipe: Recipe, tag: int, vr: str) -> dict[str, Decision]:
    """The decision for each Type that the attribute has in the root of some IOD."""
    decisions: dict[str, Decision] = {UNKNOWN: recipe.decide(Field((), tag, vr))}
    if recipe.uses_types:
        for sop_class_uid in types().roots:
            type_ = types().type_of(sop_class_uid, (), tag)
            if type_ not in decisions:
                decisions[type_] = recipe.decide(Field((), tag, vr, sop_class_uid=sop_class_uid))
    decisions.setdefault(OPTIONAL, decisions[UNKNOWN])
    return decisions


def _unless(decisions: dict[str, Decision], usual: Treatment, vr: str) -> Iterator[Unless]:
    others: dict[Treatment, list[str]] = {}
    for type_, decision in sorted(decisions.items()):
        outcome = outcome_of(decision, vr)
        if outcome != usual:
            others.setdefault(outcome, []).append(type_)
    for outcome, types_ in others.items():
        yield Unless(tuple(types_), outcome)


def _why(rule: Rule | None, ruling: Ruling | None) -> str:
    if rule is None:
        return "no line of the recipe speaks of it"
    if rule.of_profile and ruling is not None:
        return str(ruling)
    return f"{rule.file}:{rule.line} {rule}"


def outcome_of(decision: Decision, vr: str) -> Treatment:
    """A decision in words."""
    if any(step.rule.is_conditional for step in decision.steps):
        return Treatment(TreatmentKind.CONDITIONAL, "; then ".join(str(step.rule) for step in decision.steps))
    if decision.kept or not decision.steps:
        held = vr == "SQ" and not decision.kept
        return Treatment(
            TreatmentKind.KEPT, "stays; what is in its items has rules of its own" if held else "stays as it is"
        )
    step = decision.steps[-1]
    outcome = _outcome(step.action, step.value)
    if step.action is Action.CLEAN and step.instead is not None:
        return Treatment(TreatmentKind.CLEANED, f"{outcome.words}; {step.instead} if nothing is left")
    return outcome


_PLAIN = {
    Action.REMOVE: Treatment(TreatmentKind.REMOVED, "removed"),
    Action.BLANK: Treatment(TreatmentKind.EMPTIED, "emptied"),
    Action.KEEP: Treatment(TreatmentKind.KEPT, "stays as it is"),
}
_VARIABLES = {
    "entity_id": "the patient's pseudonym",
    "item_id": "the study's pseudonym",
    "jitter": "the patient's own number of days",
}


def _outcome(action: Action, value: Value | None) -> Treatment:
    if action in _PLAIN:
        return _PLAIN[action]
    if action is Action.JITTER:
        return Treatment(TreatmentKind.SHIFTED, f"shifted by {_told(value)}")
    if action is Action.CLEAN:
        dates = "dates in it removed" if value is None else "dates in it as they are"
        if value is not None and value.text != "0":
            dates = f"dates in it shifted by {_told(value)}"
        return Treatment(TreatmentKind.CLEANED, f"cleaned, {dates}")
    assert value is not None
    match value.kind, value.text:
        case "var", name if name in ("entity_id", "item_id"):
            return Treatment(TreatmentKind.PSEUDONYM, _told(value))
        case "deid_func", name:
            return DEID_FUNCTIONS[name].outcome(dict(value.options), str(value))
        case "func", _:
            return Treatment(TreatmentKind.CONDITIONAL, f"what {value} returns")
        case _:
            return Treatment(TreatmentKind.FIXED, f"becomes {_told(value)}")


def _told(value: Value | None) -> str:
    if value is None:
        return "nothing"
    if value.kind == "var":
        return _VARIABLES.get(value.text, f"the variable {value.text}")
    return value.text if value.kind in ("literal", "code") else str(value)


# ---------------------------------------------------------------------------------------------- the rest of it


def _kinds(profile: Profile) -> Iterator[FurtherElements]:
    for clause in clauses(profile):
        if clause.why == "beyond the table":
            yield FurtherElements(clause.about, tuple((line.field, _of_line(line)) for line in _counting(clause)))


@cache
def _safe() -> dict[str, SafePrivate]:
    return {safe.field: safe for safe in safe_private()}


def _counting(clause: Clause) -> Iterator[Line]:
    """The lines of a clause; of a REPLACE and the CLEAN behind it, the CLEAN."""
    fields = {line.field for line in clause.lines if line.action is Action.CLEAN}
    return (line for line in clause.lines if line.action is Action.CLEAN or line.field not in fields)


_REWRITTEN = Treatment(
    TreatmentKind.CLEANED, "rewritten: only numbers and defined terms that converters read stay, in a new value"
)
_FORMED = Treatment(
    TreatmentKind.KEPT, "stays as it is where it has the form of its number or term, else it is removed"
)


def _of_line(line: Line) -> Treatment:
    safe = _safe().get(line.field)
    if safe is not None and not safe.is_sequence:
        return _REWRITTEN if safe.is_rewritten else _FORMED
    return _outcome(line.action, line.value)


def _withheld(recipe: Recipe) -> Iterator[FilterEntry]:
    for rules in recipe.filters:
        for label in rules.labels:
            cleaned = recipe.cleans_pixels and rules.is_graylist and label.speaks_of_pixels
            yield FilterEntry(rules.name, label.text, "".join(_asked(label)) or "always", rules.is_whitelist, cleaned)
    if recipe.decide(_CSA_IMAGE_HEADER).steps or _is_rewritten(recipe):
        yield FilterEntry("sendit", RULE, _WHERE_LOST, passes=False)


_CSA_IMAGE_HEADER = Field((), 0x00291010, "OB", "SIEMENS CSA HEADER")
_WHERE_LOST = (
    "it is a mosaic of Siemens or United Imaging, and the private elements that place its slices are removed or cannot "
    "be read; a line that removes them by name stops this"
)


def _is_rewritten(recipe: Recipe) -> bool:
    rule = recipe.decide(_CSA_IMAGE_HEADER).rule
    return rule is not None and rule.of_profile


def _asked(label: Label) -> Iterator[str]:
    """A label's checks in words, from left to right as they are drawn."""
    for number, check in enumerate(label.checks):
        yield {"+": ", and ", "||": ", or "}.get(check.operator, "; or also ") if number else ""
        yield _question(check.questions[0])
        for operator, question in zip(check.inner_operators, check.questions[1:], strict=True):
            yield (" and " if operator == "+" else " or ") + _question(question)


_ASKED = {
    Criterion.CONTAINS: "{} has in it {}",
    Criterion.NOTCONTAINS: "{} has not in it {}",
    Criterion.EQUALS: "{} is {}",
    Criterion.NOTEQUALS: "{} is not {}",
    Criterion.MISSING: "{} is missing",
    Criterion.PRESENT: "{} is there",
    Criterion.EMPTY: "{} is empty",
}


def _question(question: Question) -> str:
    if question.pattern is not None and question.attribute == "SOPClassUID":
        these = ", ".join(_classes(question.pattern))
        return f"the SOP class is {'none' if question.criterion is Criterion.NOTCONTAINS else 'one'} of: {these}"
    terms = [term.upper() for term in sorted(question.terms) if "|" not in term]
    wanted = question.pattern.pattern if question.pattern else " or ".join(terms)
    return _ASKED[question.criterion].format(question.attribute, wanted)


def _classes(pattern: re.Pattern[str]) -> Iterator[str]:
    """The names of the SOP classes that an expression finds, by PS3.6."""
    classes = {name: uid for uid, (name, kind, *_) in UID_dictionary.items() if kind == "SOP Class"}
    yield from (name.replace(" Storage", "") for name, uid in classes.items() if pattern.search(uid))


def _limits(recipe: Recipe) -> Iterator[str]:
    profile = recipe.profile
    if profile is None:
        yield "It names no profile of PS3.15, so its outputs claim none, and this text describes its lines alone."
    for rule in recipe.exceptions:
        yield f"It departs from it in {rule.file}:{rule.line} ({rule}), so its outputs do not claim the profile."
    for option, reason in NOT_OFFERED.items():
        yield f"The Option {option} ({METHODS[option].value}) is not offered: {reason}."
    if recipe.cleans_pixels:
        yield (
            "Text in pixels is found by a detector, which misses some: docs/pixels.md has its measures. Images that no "
            "rule of a graylist names are not looked at. What was looked at says so by the code 113101 and Burned In "
            "Annotation NO."
        )
    if profile is not None:
        yield from _limits_of(profile)
    yield (
        "Attributes that the table does not list and no line above speaks of stay as they are, but for values that are "
        "not what the attribute holds, such as a name in a number or a whole date in a time of day. An image in whose "
        "output an identifier of its own patient is found is withheld all the same."
    )
    yield "It was not certified by anybody."


def _limits_of(profile: Profile) -> Iterator[str]:
    if profile.dates == MODIFIED_DATES:
        yield "Times of day stay as they are: dates are shifted by whole days, and intervals between them stay."
        yield (
            "Dates that are the same for many patients (of a device, a source, an approval, a vocabulary) are not "
            "shifted but go as the Basic Profile has it, as do dates in names of protocols and series: compared from "
            "patient to patient, they would tell the shifts."
        )
    yield (
        "Terms, models, versions and other short texts stay where they speak of nobody: names, dates and ways to reach "
        "somebody are taken out of them. Where PS3.3 closes the list of values, as for Patient's Sex, only those stay."
    )
    if profile.dates == FULL_DATES:
        yield "Dates and times stay as they are, but for the patient's birth."
    if profile.has(CLEAN_DESCRIPTORS):
        yield (
            "Cleaning takes out of a text the study's own identifiers, what identifies by its form, and what looks "
            "like the name of a person, and so may take more than it had to. It cannot tell a rare surname in capitals "
            "of somebody whom no header names, without a title or a first name beside it, from an abbreviation: that "
            "stays."
        )
