"""`tag`, `tag_number` and `tag_date` for DuckDB: the values of a header by keyword."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sendit.adapters.parquet.header_paths import HeaderPath, header_path
from sendit.errors import Misconfigured

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


class TagFunctions:
    """The functions, and the last address that they refused: DuckDB tells nothing but its own errors."""

    def __init__(self) -> None:
        self.refused: Misconfigured | None = None

    def add_to(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Add the functions. DuckDB asks Python for a constant address once, not for each row."""
        special: Any = "special"  # DuckDB's package declares an enumeration that it does not export
        for name, ask, type_ in (("tag_path", self._path, "VARCHAR"), ("tag_place", self._place, "INTEGER")):
            connection.create_function(name, ask, ["VARCHAR"], type_, null_handling=special)
        for macro in _MACROS:
            connection.execute(f"CREATE MACRO {macro}")

    def _path(self, address: str | None) -> str:
        with self._refusing():
            return _found(address).values

    def _place(self, address: str | None) -> int | None:
        with self._refusing():
            return _found(address).place

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except Misconfigured as error:
            self.refused = error
            raise


def _found(address: str | None) -> HeaderPath:
    return header_path(address or "")
