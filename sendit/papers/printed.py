"""Pages to print: one HTML file each, with nothing that it would have to fetch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

STYLE = """
body { font: 10pt/1.4 sans-serif; margin: 2cm auto; max-width: 18cm; color: #111; }
h1 { font-size: 16pt; } h2 { font-size: 12pt; margin-top: 1.5em; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 2pt 8pt 2pt 0; border-bottom: 1px solid #ccc; }
td.number, th.number { text-align: right; }
code { font-size: 9pt; overflow-wrap: anywhere; }
thead { display: table-header-group; } tr { break-inside: avoid; }
@media print { body { margin: 0; max-width: none; } }
"""


def document(title: str, sections: Iterable[tuple[str, str]], foot: str) -> str:
    """Return a page of sections, each a title and HTML."""
    body = "\n".join(f"<h2>{escape(heading)}</h2>\n{content}" for heading, content in sections)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f"<style>{STYLE}</style></head>\n<body>\n<h1>{escape(title)}</h1>\n{body}\n"
        f"<p>{escape(foot)}</p>\n</body>\n</html>\n"
    )


def facts(rows: Iterable[tuple[str, Any]]) -> str:
    """Return a table of names and values."""
    lines = "".join(
        f"<tr><th>{escape(name)}</th><td><code>{escape(str(value))}</code></td></tr>\n" for name, value in rows
    )
    return f"<table>\n{lines}</table>"


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table; numbers stand to the right, and so does the title above them."""
    found = list(rows)
    if not found:
        return "<p>none</p>"
    are_numbers = [isinstance(value, int) for value in found[0]]
    head = "".join(f"<th{_class(right)}>{escape(name)}</th>" for name, right in zip(header, are_numbers, strict=True))
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in found)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>"


def _class(is_number: bool) -> str:
    return ' class="number"' if is_number else ""


def _cell(value: Any) -> str:
    if isinstance(value, int):
        return f'<td class="number">{value:,}</td>'
    return f"<td>{escape(str(value))}</td>"
