"""A warehouse in PostgreSQL, as a URL says it: `postgresql://user@host:5432/database?passfile=/…&sslmode=verify-full`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from sendit.errors import Misconfigured

SCHEME = "postgresql"
FORM = "postgresql://user@host[:port]/database[?passfile=/…&sslmode=…&sslrootcert=/…]"
_OPTIONS = frozenset({"passfile", "sslmode", "sslrootcert", "sslcert", "sslkey", "application_name", "host"})


@dataclass(frozen=True, slots=True, repr=False)
class PostgresqlDatabase:
    """Rows go into a schema of a database; `named_by` is the setting that an error names."""

    url: str
    named_by: str


def parse(url: str, named_by: str) -> PostgresqlDatabase:
    """Return what the URL says.

    Raises
    ------
    Misconfigured
        `BadSetting`: it is not of the form `FORM`; a password stands in a passfile.
    """
    parts = urlsplit(url)
    options = parse_qs(parts.query, keep_blank_values=True)
    is_right = (
        parts.scheme == SCHEME
        and bool(parts.path.strip("/"))
        and "/" not in parts.path.strip("/")
        and parts.password is None
        and set(options) <= _OPTIONS
        and not parts.fragment
    )
    if not is_right:
        raise Misconfigured("BadSetting", subject=f"{named_by}: {FORM}")
    return PostgresqlDatabase(url, named_by)
