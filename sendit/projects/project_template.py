"""The text of a new project's file: its name and key, and every other key as a comment with what counts without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from textwrap import wrap

from sendit.projects.project import DEFAULT
from sendit.projects.project_keys import KEYS, Key
from sendit.projects.site import Site

WIDTH = 100
HEAD = """\
# A project of sendit. Remove the # before a line to change it; what is a comment is as the site's settings say.
# `sendit check` reads this file, and running services read it again when it has changed.
"""


def text(name: str, site: Site) -> str:
    """Return the file of a project that takes nothing yet, because no data folder is named."""
    said = {"name": name, "title": "", "key": "site" if name == DEFAULT else "own"}
    lines = [HEAD]
    for key, entry in KEYS.items():
        lines.extend(_lines(key, entry, said, site))
    return "\n".join(lines)


def _lines(key: str, entry: Key, said: dict[str, str], site: Site) -> Iterator[str]:
    about = f"{entry.purpose} ({entry.legal})".replace("`", "")
    yield from (f"# {line}" for line in wrap(about, WIDTH))
    yield f"{key} = {json.dumps(said[key])}\n" if key in said else f"# {key} = {_value(key, entry, site)}\n"


def _value(key: str, entry: Key, site: Site) -> str:
    """What counts without the key, as TOML writes it, whose strings, numbers, flags and lists are JSON's."""
    if not entry.setting or key in ("data_folders", "collection", "identity_collection"):
        return entry.blank
    value = getattr(site, entry.setting.lower())
    return json.dumps(list(value) if isinstance(value, tuple) else value, default=str, ensure_ascii=False)
