"""On which line of a TOML file a key stands, which `tomllib` does not tell."""

from __future__ import annotations

import re

NAME = r"""("[^"]*"|'[^']*'|[\w-]+)"""
TABLE = re.compile(rf"\s*\[\[?\s*{NAME}")
KEY = re.compile(rf"\s*{NAME}\s*[.=]")


def line_of(text: str, key: str, table: str = "") -> int:
    """Return the line of a key in a table, `""` the top one, or of a table itself; 0 if it is not found."""
    inside = ""
    for number, line in enumerate(text.splitlines(), 1):
        if opened := TABLE.match(line):
            inside = _bare(opened[1])
            if not table and inside == key:
                return number
        elif inside == table and (named := KEY.match(line)) and _bare(named[1]) == key:
            return number
    return 0


def _bare(name: str) -> str:
    return name.strip("\"'")
