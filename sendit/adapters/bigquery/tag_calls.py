"""`tag`, `tag_number` and `tag_date` for BigQuery: each call in a statement gives way to what it stands for.

BigQuery takes constant JSON paths only, and a function of its own would need one branch for each attribute of DICOM. So
the address has to be written in the call; a wrong keyword is an error before anything is asked or paid for.
"""

from __future__ import annotations

import re

from sendit.adapters.header_paths import HeaderPath, header_path, literal
from sendit.errors import Misconfigured

_SKIPPED = r"""'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `[^`]*` | --[^\n]* | \#[^\n]* | /\*.*?\*/"""
_TOKEN = re.compile(rf"{_SKIPPED} | (?<![\w.])(?P<name>tag(?:_number|_date)?)\s*\( | [(),]", re.X | re.S | re.I)
_ADDRESS = re.compile(r"""'([^'\\]*)'|"([^"\\]*)\"""")
NOT_WRITTEN = "tag: a column, and a keyword that is written in the call, such as tag(header, 'SliceThickness')"


def expanded(sql: str) -> str:
    """Return the statement with an expression in the place of each call.

    Raises
    ------
    Misconfigured
        `BadQuery`: a call has no address that is written in it, or a wrong one.
    """
    while (call := _innermost_last(sql)) is not None:
        begins, ends, name, arguments = call
        sql = f"{sql[:begins]}{_expression(name, arguments)}{sql[ends:]}"
    return sql


def _innermost_last(sql: str) -> tuple[int, int, str, list[str]] | None:
    """Return the last call: where it begins and ends, its name and its arguments; no other one begins behind it."""
    calls = [token for token in _TOKEN.finditer(sql) if token["name"]]
    if not calls:
        return None
    arguments, depth, argument_begins = [], 0, calls[-1].end()
    for token in _TOKEN.finditer(sql, argument_begins):
        if token[0] == "(":
            depth += 1
        elif token[0] == ")" and depth:
            depth -= 1
        elif token[0] in (",", ")") and not depth:
            arguments.append(sql[argument_begins : token.start()].strip())
            argument_begins = token.end()
            if token[0] == ")":
                return calls[-1].start(), token.end(), calls[-1]["name"].lower(), arguments
    raise Misconfigured("BadQuery", subject=NOT_WRITTEN)


def _expression(name: str, arguments: list[str]) -> str:
    written = _ADDRESS.fullmatch(arguments[-1])
    if len(arguments) != 2 or written is None:
        raise Misconfigured("BadQuery", subject=NOT_WRITTEN)
    header, path = arguments[0], header_path(written[1] or written[2] or "")
    if name == "tag" and path.place is None:
        return _all_values(header, path)
    one = _one_value(header, path)
    return {
        "tag": one,
        "tag_number": f"SAFE_CAST({one} AS FLOAT64)",
        "tag_date": f"SAFE.PARSE_DATE('%Y%m%d', LEFT({one}, 8))",
    }[name]


def _all_values(header: str, path: HeaderPath) -> str:
    """All values as text, with backslashes between."""
    text = "COALESCE(JSON_VALUE(value, '$.Alphabetic'), JSON_VALUE(value, '$'), '')"
    values = f"UNNEST(JSON_QUERY_ARRAY({header}, {literal(path.values)})) AS value WITH OFFSET AS place"
    return rf"NULLIF((SELECT STRING_AGG({text}, '\\' ORDER BY place) FROM {values}), '')"


def _one_value(header: str, path: HeaderPath) -> str:
    place = f"{path.values}[{(path.place or 1) - 1}]"
    whole, alphabetic = literal(place), literal(f"{place}.Alphabetic")
    return f"NULLIF(COALESCE(JSON_VALUE({header}, {alphabetic}), JSON_VALUE({header}, {whole}), ''), '')"
