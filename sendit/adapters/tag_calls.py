"""Calls of `tag`, `tag_number` and `tag_date` in a statement, which give way to what they stand for in its dialect.

The address has to be written in the call; a wrong keyword is an error before anything is asked or paid for.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sendit.adapters.header_paths import HeaderPath, header_path
from sendit.errors import Misconfigured

_ADDRESS = re.compile(r"""'([^'\\]*)'|"([^"\\]*)\"""")
NOT_WRITTEN = "tag: a column, and a keyword that is written in the call, such as tag(header, 'SliceThickness')"

Expression = Callable[[str, str, HeaderPath], str]
"""Writes a call in the dialect, by the name of the function, the header and the path."""


def tokens(skipped: str) -> re.Pattern[str]:
    """Return the pattern of what matters to calls; `skipped` is the dialect's strings, quoted names and comments."""
    return re.compile(rf"{skipped} | (?<![\w.])(?P<name>tag(?:_number|_date)?)\s*\( | [(),]", re.X | re.S | re.I)


def expanded(sql: str, token: re.Pattern[str], expression: Expression) -> str:
    """Return the statement with an expression in the place of each call.

    Raises
    ------
    Misconfigured
        `BadQuery`: a call has no address that is written in it, or a wrong one.
    """
    while (call := _innermost_last(sql, token)) is not None:
        begins, ends, name, arguments = call
        written = _ADDRESS.fullmatch(arguments[-1])
        if len(arguments) != 2 or written is None:
            raise Misconfigured("BadQuery", subject=NOT_WRITTEN)
        path = header_path(written[1] or written[2] or "")
        sql = f"{sql[:begins]}{expression(name, arguments[0], path)}{sql[ends:]}"
    return sql


def _innermost_last(sql: str, pattern: re.Pattern[str]) -> tuple[int, int, str, list[str]] | None:
    """Return the last call: where it begins and ends, its name and its arguments; no other one begins behind it."""
    calls = [token for token in pattern.finditer(sql) if token["name"]]
    if not calls:
        return None
    arguments, depth, argument_begins = [], 0, calls[-1].end()
    for token in pattern.finditer(sql, argument_begins):
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
