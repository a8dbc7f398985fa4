"""The text of a new settings file: every setting, commented, with its default."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from sendit.projects.site import SETTINGS, Setting

WIDTH = 100
GROUPS = {
    "VAR": "Where things are",
    "STUDY_DEID": "What is done to an image",
    "RUNNER": "How it works",
    "SEND_TO_GOOGLE": "Delivery",
    "ORIGINALS": "Afterwards",
}
"""The setting with which each group begins, in the order of `Site`'s fields."""

HEAD = """\
# The settings of sendit. Remove the # before a line to change it. An environment variable such as SENDIT_WORKERS wins
# over this file. Relative paths are below the folder of this file. A setting that may hold a password stands in a file
# of its own, which a key such as database_file names.
"""


def text(given: Mapping[str, str]) -> str:
    """Return a settings file in which the settings in `given`, by their names, are set and all others are comments."""
    lines = [HEAD]
    for name, entry in SETTINGS.items():
        if name in GROUPS:
            lines.append(f"\n# {f' {GROUPS[name]} ':-^{WIDTH}}\n")
        lines.extend(_lines(name, entry, given.get(name)))
    return "\n".join(lines)


def _lines(name: str, entry: Setting, given: str | None) -> Iterator[str]:
    about = f"{entry.about} ({entry.form})".replace("`", "")
    yield from (f"# {line}" for line in wrap(about, WIDTH))
    key = name.lower()
    if entry.is_secret:
        yield f'# {key}_file = "{key}"\n'
    elif given is not None:
        yield f"{key} = {json.dumps(given, ensure_ascii=False)}\n"
    else:
        yield f"# {key} = {_toml(entry.default)}\n"


def _toml(value: Any) -> str:
    """A default as TOML writes it; JSON's strings, numbers, flags and lists of strings are TOML's."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, default=str, ensure_ascii=False)
