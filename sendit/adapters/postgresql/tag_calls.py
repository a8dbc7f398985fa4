"""`tag`, `tag_number` and `tag_date` for PostgreSQL: each call in a statement gives way to what it stands for."""

from __future__ import annotations

from sendit.adapters import tag_calls
from sendit.adapters.header_paths import HeaderPath, literal

_TOKENS = tag_calls.tokens(r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/""")
_NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,2})?\s*$"
_DATE = r"^\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"


def expanded(sql: str) -> str:
    """Return the statement with an expression in the place of each call. Raises Misconfigured("BadQuery")."""
    return tag_calls.expanded(sql, _TOKENS, _expression)


def _expression(name: str, header: str, path: HeaderPath) -> str:
    if name == "tag" and path.place is None:
        return _all_values(header, path)
    one = _one_value(header, path)
    if name == "tag":
        return one
    return _number(one) if name == "tag_number" else _date(one)


def _all_values(header: str, path: HeaderPath) -> str:
    """All values as text, with backslashes between."""
    values = f"jsonb_array_elements({_found(header, path.values)}) WITH ORDINALITY AS one(value, place)"
    return f"NULLIF((SELECT string_agg({_text('one.value')}, '\\' ORDER BY one.place) FROM {values}), '')"


def _one_value(header: str, path: HeaderPath) -> str:
    value = _found(header, f"{path.values}[{(path.place or 1) - 1}]")
    return f"(SELECT NULLIF({_text('one.value')}, '') FROM (SELECT {value} AS value) AS one)"


def _found(header: str, path: str) -> str:
    return f"jsonb_path_query_first({header}, {literal(f'strict {path}')}, '{{}}', true)"


def _text(value: str) -> str:
    """A value as text; a person's name by its alphabetic group."""
    plain = f"CASE WHEN jsonb_typeof({value}) <> 'object' THEN {value} #>> '{{}}' END"
    return f"COALESCE({value} ->> 'Alphabetic', {plain}, '')"


def _number(text: str) -> str:
    form = literal(_NUMBER)
    return f"(SELECT CASE WHEN one.text ~ {form} THEN one.text::float8 END FROM (SELECT {text} AS text) AS one)"


def _date(text: str) -> str:
    """A date that exists; PostgreSQL has no cast that gives NULL for the 30th of February."""
    parts = ("substr(one.text, 1, 4)::int", "substr(one.text, 5, 2)::int", "substr(one.text, 7, 2)::int")
    first = f"make_date(greatest({parts[0]}, 1), {parts[1]}, 1)"
    last_day = f"extract(day FROM ({first} + interval '1 month - 1 day'))"
    day = f"CASE WHEN {parts[2]} <= {last_day} THEN {first} + ({parts[2]} - 1) END"
    return f"(SELECT CASE WHEN one.text ~ {literal(_DATE)} THEN {day} END FROM (SELECT {text} AS text) AS one)"
