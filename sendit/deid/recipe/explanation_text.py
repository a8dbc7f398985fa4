"""An explanation for those who read it: a person who is to approve a recipe, or a program."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from sendit import __version__
from sendit.deid.recipe.explanation import AttributeEntry, Explanation, FilterEntry, Unless
from sendit.deid.recipe.outcomes import Treatment, TreatmentKind
from sendit.deid.recipe.profile import BASIC, METHODS
from sendit.deid.standard.attribute_types import UNKNOWN

WIDTH = 100

LEGEND = (
    ("X", "remove"),
    ("Z", "empty, or a dummy"),
    ("D", "a dummy value"),
    ("U", "a UID that is the same wherever the same one stood"),
    ("K", "keep"),
    ("C", "clean"),
    ("X/Z, X/D, Z/D, X/Z/D", "the first unless the image's IOD requires the attribute, or a value of it"),
)
"""The codes of Table E.1-1 in short."""


def as_text(told: Explanation) -> str:
    """A document of plain text, at most WIDTH wide but for the recipe's own lines."""
    parts = (_head, _in_short, _withheld, _attributes, _beyond, _own_rules, _marks, _limits, _signature)
    return "\n".join(line.rstrip() for part in parts for line in part(told))


# ---------------------------------------------------------------------------------------------- its parts


def _head(told: Explanation) -> Iterator[str]:
    title = f"What the recipe “{told.recipe.name}” does to DICOM images"
    yield from (title, "=" * len(title), "")
    if told.profile is None:
        yield "Profile      none: it is a recipe of its own"
    else:
        code = METHODS[BASIC]
        yield f"Profile      DICOM PS3.15 Annex E, {code.meaning} ({code.value})"
        for number, option in enumerate(told.profile.options):
            yield f"{'Options' if not number else '':<13}{option} ({METHODS[option].value})"
    yield f"Based on     PS3.15 Table E.1-1, edition {told.edition}, {len(told.entries)} rows"
    yield f"Fingerprint  SHA-256 {told.recipe.sha256}"
    yield f"Software     sendit {__version__}"
    yield ""


def _in_short(told: Explanation) -> Iterator[str]:
    yield from _heading("1. In short")
    for fate in TreatmentKind:
        if found := told.of(fate):
            yield f"{len(found):>5}  {fate.value}"
    yield ""
    yield from _paragraph(
        "That is how many of the table's rows meet with which fate; section 3 lists every one with its reason. The "
        "codes are those of the table:"
    )
    yield ""
    yield from (f"  {code:<22}{meaning}" for code, meaning in LEGEND)
    yield ""


def _withheld(told: Explanation) -> Iterator[str]:
    yield from _heading("2. Images that do not go on")
    if not told.withheld:
        yield from _paragraph("No filter: every image goes on, whatever its pixels show.")
        yield ""
        return
    yield from _paragraph("The first of these rules that an image fits decides; one that fits none goes on.")
    yield ""
    for number, one in enumerate(told.withheld, start=1):
        verdict = _verdict(one)
        yield from _item(f"{number}.", f"{one.rule} ({one.filter}): {verdict}")
        yield from _indented(f"where {one.asks}", 9)
    yield ""


def _verdict(one: FilterEntry) -> str:
    if one.cleaned:
        return "goes on once its pixels are clean, if no other rule withholds it"
    return "goes on at once" if one.passes else "is withheld"


def _attributes(told: Explanation) -> Iterator[str]:
    yield from _heading("3. What becomes of each attribute of the table")
    yield from _paragraph(
        "An attribute meets this fate wherever it stands, in the items of sequences too. Some have another where the "
        "image's IOD requires them (Type 2) or a value of them (Type 1), or where it is not known."
    )
    yield ""
    for fate in TreatmentKind:
        if found := told.of(fate):
            yield from _heading(f"{fate.value[0].upper()}{fate.value[1:]}: {len(found)}", "-")
            yield from _alike(found)


def _alike(entries: Sequence[AttributeEntry]) -> Iterator[str]:
    """Attributes that meet the same fate for the same reason, under one sentence."""
    groups: dict[str, list[AttributeEntry]] = {}
    for entry in entries:
        words = entry.outcome.words + _unless(entry.unless, entry.outcome)
        groups.setdefault(f"{words[0].upper()}{words[1:]}.  [{entry.why}]", []).append(entry)
    for sentence, alike in groups.items():
        yield from _indented(sentence, 2)
        yield from (f"      {entry.row.written_tag}  {entry.row.name}" for entry in alike)
        yield ""


def _unless(exceptions: Sequence[Unless], usual: Treatment) -> str:
    clauses = ((one.types, _clause(one.outcome.words, usual.words)) for one in exceptions)
    return "".join(f"; where it is {_types(types)}, {clause}" for types, clause in clauses)


def _types(types: Sequence[str]) -> str:
    return " or ".join(f"of Type {type_}" if type_ != UNKNOWN else "of a Type not known" for type_ in types)


def _clause(words: str, usual: str) -> str:
    """What becomes of an attribute otherwise than usual; what it has in common with that is not told again."""
    more = words.removeprefix(f"{usual}; ")
    if more != words:
        return more
    return f"it is {words}" if words.startswith(("removed", "emptied", "cleaned", "shifted")) else f"it {words}"


def _beyond(told: Explanation) -> Iterator[str]:
    if not told.kinds:
        return
    yield from _heading("4. What becomes of other elements")
    yield from _paragraph("What the table does not list is dealt with by its kind; of several kinds, the last listed.")
    yield ""
    for kind in told.kinds:
        yield from _item("-", f"{kind.about}: {'; '.join(dict.fromkeys(one.words for _, one in kind.outcomes))}")
        yield from _indented("as " + ", ".join(field for field, _ in kind.outcomes), 9)
    yield ""


def _own_rules(told: Explanation) -> Iterator[str]:
    yield from _heading("5. The recipe's own lines")
    if not told.own_rules:
        yield from _paragraph("None." if told.profile else "None: it changes no header.")
        yield ""
        return
    yield from _paragraph("They have the last word." if told.profile else "In their order:")
    yield ""
    for rule in told.own_rules:
        departs = "   <- departs from the profile" if rule in told.recipe.exceptions else ""
        yield f"  {rule.file}:{rule.line}  {rule}{departs}"
    yield ""


def _marks(told: Explanation) -> Iterator[str]:
    yield from _heading("6. What each output says of itself")
    marks = [str(rule) for rule in told.recipe.rules if rule.action == "ADD" and rule.field in MARKS]
    for mark in marks:
        yield from _item("-", mark.removeprefix("ADD ").replace("\\", " \\ ").replace(")(", "), ("))
    if not marks:
        yield from _paragraph("Nothing.")
    yield ""


MARKS = (
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
)


def _limits(told: Explanation) -> Iterator[str]:
    yield from _heading("7. What it does not do")
    for limit in told.limits():
        yield from _item("-", limit)
    yield ""


def _signature(told: Explanation) -> Iterator[str]:
    yield from _heading("Approval")
    yield from _paragraph(
        f"I have read what the recipe with the fingerprint {told.recipe.sha256[:16]}… does, and approve its use for:"
    )
    yield from ("", "  purpose    " + "_" * 60, "", "  name       " + "_" * 36 + "  date  " + "_" * 16, "")
    yield "  signature  " + "_" * 36


# ---------------------------------------------------------------------------------------------- lines


def _heading(text: str, under: str = "=") -> Iterator[str]:
    yield from (text, under * len(text), "")


def _paragraph(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH)


def _item(mark: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=f"  {mark:<4} ", subsequent_indent=" " * 7)


def _indented(text: str, columns: int) -> list[str]:
    indent = " " * columns
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False)


# ---------------------------------------------------------------------------------------------- for programs


def as_json(told: Explanation) -> str:
    """The same as JSON; `fate` is one of a closed set, the other words are for people."""
    return json.dumps(as_data(told), ensure_ascii=False, indent=1)


def as_data(told: Explanation) -> dict[str, Any]:
    """What JSON is made of."""
    profile = told.profile
    chosen = (BASIC, *profile.options) if profile else ()
    return {
        "recipe": told.recipe.name,
        "sha256": told.recipe.sha256,
        "software": f"sendit {__version__}",
        "table": {"name": "PS3.15 Table E.1-1", "edition": told.edition},
        "profile": [{"name": name, "code": METHODS[name].value, "scheme": METHODS[name].scheme} for name in chosen],
        "departs_from_profile_in": [f"{rule.file}:{rule.line} {rule}" for rule in told.recipe.exceptions],
        "withheld": [
            {
                "filter": one.filter,
                "rule": one.rule,
                "asks": one.asks,
                "passes": one.passes,
                "passes_once_clean": one.cleaned,
            }
            for one in told.withheld
        ],
        "attributes": [_entry_data(entry) for entry in told.entries],
        "other_elements": [
            {"about": kind.about, "lines": [{"field": field, **_outcome_data(one)} for field, one in kind.outcomes]}
            for kind in told.kinds
        ],
        "own_lines": [f"{rule.file}:{rule.line} {rule}" for rule in told.own_rules],
        "limits": list(told.limits()),
    }


def _entry_data(entry: AttributeEntry) -> dict[str, Any]:
    unless = [{"types": list(one.types), **_outcome_data(one.outcome)} for one in entry.unless]
    about = {"tag": entry.row.written_tag, "name": entry.row.name, "basic_profile": entry.row.basic}
    return {**about, **_outcome_data(entry.outcome), "unless": unless, "why": entry.why}


def _outcome_data(outcome: Treatment) -> dict[str, str]:
    return {"fate": outcome.fate.name.lower(), "words": outcome.words}
