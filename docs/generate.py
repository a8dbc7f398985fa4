"""Writes the pages that are tables of the code: `make docs`. tests/unit/test_docs.py holds them equal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sendit.errors import CODES, SenditError
from sendit.settings import SETTINGS

DOCS = Path(__file__).parent
KINDS: dict[str, str] = {kind.__name__: kind.__doc__ or "" for kind in SenditError.__subclasses__()}
EVERYWHERE = {"WORKERS": "the number of cores"}
"""Defaults that differ from machine to machine, in words."""


def settings_page() -> str:
    """docs/settings.md."""
    rows = [(f"`{name}`", entry.form, _default(name), entry.about) for name, entry in SETTINGS.items()]
    files = " and ".join(f"`SENDIT_{name}_FILE`" for name, entry in SETTINGS.items() if entry.is_secret)
    return f"""# Settings

Every setting `X` is an environment variable `SENDIT_X` (but for one that another system named) and a Django setting
`X`; `sendit/settings.py` is the one place that reads the environment. A variable `SENDIT_…` that is not in this table,
or a value that makes no sense, stops every command with `UnknownSetting` or `BadSetting`: a typing error never means
"the default". What may hold a password may also stand in a file: {files} name it.

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


PAGES: dict[str, Callable[[], str]] = {"settings.md": settings_page, "errors.md": errors_page}


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
    for name, page in PAGES.items():
        (DOCS / name).write_text(page())
