"""Writes the pages that are tables of the code: `make docs`. tests/unit/test_docs.py holds them equal."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import django

from sendit.deid.recipe.explanation import AttributeEntry, explain
from sendit.deid.recipe.outcomes import Treatment
from sendit.deid.recipe.profile import BASIC, METHODS, NOT_OFFERED, OPTIONS
from sendit.deid.recipe.profile_rules import DUMMIES
from sendit.deid.recipe.recipe import parse_recipe
from sendit.deid.standard.profile_table import table
from sendit.errors import CODES, SenditError
from sendit.projects.site import SETTINGS

DOCS = Path(__file__).parent
KINDS: dict[str, str] = {kind.__name__: kind.__doc__ or "" for kind in SenditError.__subclasses__()}
EVERYWHERE = {"WORKERS": "the number of cores"}
"""Defaults that differ from machine to machine, in words."""


def settings_page() -> str:
    """docs/settings.md."""
    rows = [(f"`{name}`", entry.form, _default(name), entry.about) for name, entry in SETTINGS.items()]
    files = " and ".join(f"`SENDIT_{name}_FILE`" for name, entry in SETTINGS.items() if entry.is_secret)
    return f"""# Settings

Every setting `X` is an environment variable `SENDIT_X` (but for one that another system named) and a key `x` of the
settings file. An unknown variable `SENDIT_…`, an unknown key, or a value that makes no sense stops every command with
`UnknownSetting` or `BadSetting`: a typing error never means "the default".

**The settings file** is `sendit.toml`. `sendit init` writes one in which every setting is explained. sendit looks for
it in this order, and takes the first:

1. the file that the environment variable `SENDIT_CONFIG` names
2. `sendit.toml` in the folder that `SENDIT_VAR` names
3. `/etc/sendit/sendit.toml`
4. `sendit.toml` in the current folder, if folder and file are your own and not everybody may write to them

The environment wins over the file. Relative paths in the file are below the file's folder, and so are VAR and DATA_BASE
where nothing names them; relative paths in the environment are below the current folder. Lists are TOML lists:
`data_input_folders = ["ct", "mr"]`.

**Secrets** do not stand in the settings file. A setting that may hold a password stands in a file of its own, which
{files} name in the environment, and the same names in lower case without `SENDIT_` in the settings file, such as
`database_file = "/run/secrets/database_url"`.

**Which VAR.** A command that needs a VAR refuses one without keys (`NotInitialised`), because with new keys the same
patients would get other pseudonyms. `sendit status` shows which VAR is used, and the fingerprint of its keys.

{_table(("setting", "form", "default", "what it is for"), rows)}
"""


def errors_page() -> str:
    """docs/errors.md."""
    sections = []
    for kind, about in KINDS.items():
        rows = [(f"`{code}`", entry.what, entry.then) for code, entry in CODES.items() if entry.kind == kind]
        sections.append(f"## {kind}\n\n{about}\n\n{_table(('code', 'what happened', 'what to do'), rows)}\n")
    return f"""# Errors

An error has a code, and may have a tag, a count and the name of a setting or a recipe line: never a value from a file,
never a path. Its kind says whose move is next. `sendit status` counts the codes, `sendit batch_logs ID` lists a
batch's.

{chr(10).join(sections)}"""


def conformance_page() -> str:
    """docs/conformance.md."""
    offered = [option for option in OPTIONS if option not in NOT_OFFERED]
    basic = explain(parse_recipe("FORMAT dicom\nPROFILE Basic"))
    told = {name: explain(parse_recipe(f"FORMAT dicom\nPROFILE Basic + {name}")).entries for name in offered}
    rows = [
        (
            entry.row.written_tag,
            entry.row.name,
            entry.row.basic.replace("*", "\\*"),
            _what(entry),
            _under_options(number, entry, told),
        )
        for number, entry in enumerate(basic.entries)
    ]
    options = [(name, METHODS[name].value, NOT_OFFERED.get(name, "offered"), _changed_by(name)) for name in METHODS]
    kinds = [
        (f"`{_cell(field)}`", kind.about, outcome.words)
        for kind in basic.kinds
        for field, outcome in kind.outcomes
        if not field.startswith("type:")
    ]
    return f"""# Conformance

What sendit does with each row of DICOM PS3.15 Table E.1-1, edition {basic.edition}, in a recipe with the line
`PROFILE Basic`, and what each Option changes. Made from the rules themselves; `tests/conformance/test_profile.py` holds
every row under every Option against what comes out of a file. `sendit explain RECIPE` tells the same of one recipe.

## The profile and its Options

{_table(("name", "PS3.16 CID 7050", "in sendit", "rows of the table with a code"), options)}

## How the codes are carried out

- X/Z, X/D, X/Z/D, Z/D: the first of them, unless the attribute is of Type 2 (then Z, or D where there is no Z) or of
  Type 1 (then D) where it stands. The Types are those of PS3.3: at the root, of the IOD of the file's SOP class; in an
  item, the strictest that any IOD gives the attribute in that sequence. 1C counts as 1, and 2C as 2. Where the Type is
  not known, because the SOP class is private, retired or not said, the action is what is valid whatever the Type.
- X and Z of an attribute that an IOD has with Type 2 or 1 come to Z and D there.
- X/Z/U\\*: always U. A reference that goes while Common Instance Reference still lists it leaves an image that
  contradicts itself; the UIDs in it are pseudonyms.
- Z of Patient's Name, Patient ID and Accession Number: the pseudonym of the patient, or of the study.
- D: the word REMOVED, or another legal value that says nothing
  ({_dummies()});
  of a sequence of codes, one code; of another sequence, its items with what their own rows come to. Content, Graphic
  Annotation and Flow Identifier Sequence go as a whole, for nothing but dummies would be left of them.
- U: a pseudonym under 2.25, keyed, the same wherever the same UID stood, in every image, study and run of a site.
- K: the value as it is; of ages, those above 89 years become 090Y. A sequence stays, what is in its items follows its
  own rows.
- C of dates: shifted by the patient's number of whole days, so times of day stay. C of texts and codes: cleaned. Where
  a value cannot be cleaned (bytes, a time zone, overlays), C comes to the Basic Profile's code.
- An Option for dates goes before the others, so that all dates of a patient are dealt with alike; then one that retains
  goes before one that cleans.
- A recipe whose own rules retain more than its profile does not claim the profile in its outputs.

## Each row

A row speaks of the attribute wherever it stands, in the items of sequences too.

{_table(("tag", "attribute", "Basic Profile", "what becomes of it", "under an Option"), rows)}

## Beyond the table

Retain Safe Private keeps the elements of `sendit/deid/standard/safe_private.tsv` whose values have the form that it
gives. Of Siemens' CSA headers, (0029,xx10) and (0029,xx20), of the ASCCONV protocol of Siemens XA and of GE's Protocol
Data Block, (0025,xx1B), it keeps [the numbers that converters read](decisions/0017-csa-headers-are-rewritten.md), in
a new value. Under any recipe, a mosaic whose output would no longer say where its slices belong is withheld:
`sendit: geometry would be lost`.

Elements that no row speaks of, by their kind; of several kinds the last listed. Attributes that an IOD requires with a
value (Type 1) keep one.

{_table(("elements", "which are", "what becomes of them in `PROFILE Basic`"), kinds)}
"""


def _what(entry: AttributeEntry) -> str:
    unless = "".join(f"; Type {', '.join(one.types)}: {_words(one.outcome)}" for one in entry.unless)
    return _words(entry.outcome) + unless


def _words(outcome: Treatment) -> str:
    return _cell(outcome.words)


def _under_options(number: int, basic: AttributeEntry, told: dict[str, tuple[AttributeEntry, ...]]) -> str:
    codes = basic.row.codes
    return "<br>".join(
        f"{option.partition(' with ')[2] or option}, {codes[option]}: {_what(entries[number])}"
        for option, entries in told.items()
        if option in codes
    )


def _changed_by(name: str) -> str:
    if name == BASIC:
        return str(len(table().rows))
    return str(sum(name in row.codes for row in table().rows) or "")


def _dummies() -> str:
    return ", ".join(sorted({f"{vr} {value}" for vr, value in DUMMIES.items()}))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


def dicom_page() -> str:
    """docs/dicom.md."""
    from docs import dicom_tables  # its tables come from modules that need Django's apps

    return dicom_tables.page()


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "errors.md": errors_page,
    "conformance.md": conformance_page,
    "dicom.md": dicom_page,
}


def _default(name: str) -> str:
    if name in EVERYWHERE:
        return EVERYWHERE[name]
    value = SETTINGS[name].default
    if value in ("", ()):
        return "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sendit.settings")
    django.setup()
    for name, page in PAGES.items():
        (DOCS / name).write_text(page())
