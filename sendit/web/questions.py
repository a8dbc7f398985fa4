"""Questions to the warehouse from pages and programs: read-only, and limited in rows and time."""

from __future__ import annotations

from dataclasses import dataclass

from sendit.projects.composition import Ports

MOST_ROWS = 1_000
SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Columns, and rows up to the limit."""

    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]
    is_cut: bool


def ask(ports: Ports, untrusted_sql: str, most_rows: int = MOST_ROWS) -> Answer:
    """Ask one statement.

    Raises
    ------
    Misconfigured
        `BadQuery`: it cannot be run, or takes too long.
    """
    limited = f"SELECT * FROM (\n{untrusted_sql.strip().rstrip(';')}\n) AS question LIMIT {most_rows + 1}"
    found = ports.warehouse.query(limited, SECONDS)
    return Answer(found.columns, list(found.rows[:most_rows]), len(found.rows) > most_rows)
