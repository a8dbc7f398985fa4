"""`tag`, `tag_number` and `tag_date` for DuckDB: the values of a header by keyword.

They are macros, for DuckDB's functions in Python need numpy, which sendit does without. A macro knows the addresses
that the statement names; another one, which the statement puts together, stops it, is looked up, and added.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sendit.adapters.header_paths import UNKNOWN, header_path, literal

if TYPE_CHECKING:
    import duckdb

_MACROS = (
    """tag_values(header, address) AS list_transform(
        from_json(json_extract(header, tag_path(address)), '["JSON"]'),
        lambda value: coalesce(value ->> 'Alphabetic', value ->> '$', ''))""",
    r"""tag(header, address) AS CASE
        WHEN tag_place(address) IS NULL THEN nullif(array_to_string(tag_values(header, address), '\'), '')
        ELSE nullif(tag_values(header, address)[tag_place(address)], '') END""",
    "tag_one(header, address) AS tag_values(header, address)[coalesce(tag_place(address), 1)]",
    "tag_number(header, address) AS TRY_CAST(tag_one(header, address) AS DOUBLE)",
    "tag_date(header, address) AS CAST(try_strptime(left(tag_one(header, address), 8), '%Y%m%d') AS DATE)",
)


def define(connection: duckdb.DuckDBPyConnection, addresses: Iterable[str]) -> None:
    """Make the macros, for these addresses."""
    for macro in (*_lookups(sorted(addresses)), *_MACROS):
        connection.execute(f"CREATE OR REPLACE MACRO {macro}")


def _lookups(addresses: list[str]) -> Iterator[str]:
    paths = {address: header_path(address) for address in addresses}
    unknown = f"error({literal(UNKNOWN)} || coalesce(address, ''))"
    values = [f"WHEN {literal(address)} THEN {literal(path.values)}" for address, path in paths.items()]
    places = [f"WHEN {literal(address)} THEN {path.place or 'NULL'}" for address, path in paths.items()]
    yield f"tag_path(address) AS {_case(values, unknown)}::VARCHAR"
    yield f"tag_place(address) AS {_case(places, unknown)}::INTEGER"


def _case(branches: list[str], otherwise: str) -> str:
    return f"(CASE address {' '.join(branches)} ELSE {otherwise} END)" if branches else f"({otherwise})"
