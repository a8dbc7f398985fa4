"""How `preview` lays out what it shows: a table where there is room for one, else a few lines for each element."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import takewhile

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from sendit.ground.terminal import printable
from sendit.pipeline.files.preview import Change, PreviewRow

STYLES = {Change.SAME: "", Change.CHANGED: "yellow", Change.REMOVED: "red", Change.ADDED: "green"}
LONGEST_VALUE, LONGEST_RULE = 200, 60
ROOM_FOR_TABLE = 120
"""Columns; in fewer, values and rules break after every few characters."""
INDENT = "    "
CODE_TAGS = frozenset(f"(0008,{element})" for element in (
    "0100", "0102", "0103", "0104", "0105", "0106", "0107", "010B", "010C", "010D", "010E", "010F", "0117", "0118",
    "0119", "0120", "0121", "0122", "0123", "0124",
))  # fmt: skip
"""The attributes of the Code Sequence Macro (PS3.3 8.8) in an item that is nothing but a code."""
VALUE, SCHEME, MEANING = ("(0008,0100)", "(0008,0119)", "(0008,0120)"), ("(0008,0102)",), ("(0008,0104)",)


def chosen(rows: list[PreviewRow], *, only_changed: bool) -> list[PreviewRow]:
    """The rows to show: all of them, or what changes, with each code as one row."""
    if not only_changed:
        return rows
    return [row for row in named(folded(rows)) if row.mark is not Change.SAME]


def show(console: Console, rows: list[PreviewRow]) -> None:
    """Print the rows in the form that the console has room for."""
    for part in [_table(rows)] if console.width >= ROOM_FOR_TABLE else _blocks(rows, console.width):
        console.print(part, soft_wrap=isinstance(part, Text))


# ---------------------------------------------------------------------------------------------- codes and items


def folded(rows: list[PreviewRow]) -> Iterator[PreviewRow]:
    """The rows, with an item that is nothing but a code as one row."""
    at = 0
    while at < len(rows):
        row = rows[at]
        inner = [] if row.tag else list(takewhile(lambda one: one.depth >= row.depth and one.tag, rows[at + 1 :]))  # noqa: B023
        if inner and all(one.depth == row.depth and one.tag in CODE_TAGS for one in inner):
            yield _code(row, inner)
            at += 1 + len(inner)
        else:
            yield row
            at += 1


def _code(item: PreviewRow, inner: list[PreviewRow]) -> PreviewRow:
    marks = {one.mark for one in inner}
    mark = marks.pop() if len(marks) == 1 else Change.CHANGED
    after = (
        "="
        if mark is Change.SAME
        else _triplet({one.tag: one.after if one.after != "=" else one.before for one in inner})
    )
    rules = [one.rule for one in inner if one.mark is not Change.SAME]
    before = _triplet({one.tag: one.before for one in inner})
    return replace(item, mark=mark, before=before, after=after, rule=rules[0] if rules else "")


def _triplet(texts: dict[str, str]) -> str:
    """A code as PS3.16 writes it: (value, scheme, "meaning")."""
    value, scheme, meaning = (next(filter(None, map(texts.get, tags)), "") for tags in (VALUE, SCHEME, MEANING))
    return f'({value}, {scheme}, "{meaning}")' if value or scheme or meaning else ""


def named(rows: Iterable[PreviewRow]) -> Iterator[PreviewRow]:
    """The rows, with the sequences and the items' numbers before the names of what is in them."""
    sequences: dict[int, str] = {}
    items: dict[int, str] = {}
    for row in rows:
        path = [f"{sequences.get(depth, '')}[{items.get(depth + 1, '1')}]" for depth in range(row.depth)]
        if row.tag:
            sequences[row.depth] = row.name
            yield replace(row, name=".".join((*path, row.name)))
        else:
            items[row.depth] = row.name.rpartition(" ")[2]
            path[-1:] = [f"{sequences.get(row.depth - 1, '')}[{items[row.depth]}]"]
            yield replace(row, name=".".join(path))


# ---------------------------------------------------------------------------------------------- the two forms


def _table(rows: list[PreviewRow]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("element", no_wrap=True)
    table.add_column("name", max_width=40, overflow="fold")
    for name, ratio in (("before", 3), ("after", 3), ("rule", 4)):
        table.add_column(name, ratio=ratio, overflow="fold")
    for row in rows:
        cells = (row.mark, f"{'  ' * row.depth}{row.tag} {row.vr}", row.name, row.before, row.after, row.rule)
        table.add_row(*(Text(_shown(cell)) for cell in cells), style=STYLES[row.mark])
    return table


def _blocks(rows: list[PreviewRow], width: int) -> Iterator[RenderableType]:
    for row in rows:
        for line in _lines(row, width):
            yield Text(line, style=STYLES[row.mark])


def _lines(row: PreviewRow, width: int) -> Iterator[str]:
    """The element with the rule that decided; then its values, on one line where they fit."""
    head = _shown(f"{row.mark} {row.tag:11} {row.name}")
    rule = _shown(_rule(row))
    is_one_line = len(head) + 2 + len(rule) <= width
    yield f"{head}{rule.rjust(width - len(head))}" if is_one_line else head
    if not is_one_line:
        yield rule.rjust(width)
    before, after = _shown(row.before), _shown(row.after)
    if row.mark is not Change.CHANGED:
        yield from _broken(INDENT, before or after, width)
    elif len(INDENT) + len(before) + 3 + len(after) <= width:
        yield f"{INDENT}{before} → {after}"
    else:
        yield from _broken(INDENT, before, width)
        yield from _broken("  → ", after, width)


def _rule(row: PreviewRow) -> str:
    """The rule without the name of its element, which stands beside it: `REMOVE · research:14`."""
    place, _, words = row.rule.partition("  ")
    last = row.name.rpartition(".")[2]
    said = " ".join(word for word in words.split(" ") if word != last)
    return f"{_cut(said, LONGEST_RULE)} · {place}" if words else _cut(place, LONGEST_RULE)


def _broken(first: str, text: str, width: int) -> Iterator[str]:
    """A value in lines of the width; nothing where it is blank."""
    room = max(width - len(first), 20)
    for at in range(0, len(text), room):
        yield (first if at == 0 else INDENT) + text[at : at + room]


def _shown(text: str) -> str:
    return _cut(printable(text), LONGEST_VALUE)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
