"""`tag`, `tag_number` and `tag_date` for BigQuery.

BigQuery takes constant JSON paths only, and a function of its own would need one branch for each attribute of DICOM. So
each call in a statement gives way to what it stands for.
"""

from __future__ import annotations

from sendit.adapters import tag_calls
from sendit.adapters.header_paths import HeaderPath, literal

_TOKENS = tag_calls.tokens(
    r"""'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `[^`]*` | --[^\n]* | \#[^\n]* | /\*.*?\*/"""
)


def expanded(sql: str) -> str:
    """Return the statement with an expression in the place of each call. Raises Misconfigured("BadQuery")."""
    return tag_calls.expanded(sql, _TOKENS, _expression)


def _expression(name: str, header: str, path: HeaderPath) -> str:
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
