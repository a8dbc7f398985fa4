"""The roles of people, as data: which of them see identifiers, pseudonyms and true times.

A pseudonym beside a true time of its batch tells the date shift, because the shifted dates are in the warehouse. So
nobody may see both who does not see accession numbers anyway, whatever roles are given to one person.
"""

from __future__ import annotations

from collections.abc import Iterable

from sendit.projects.roles import Role as Role

Roles = frozenset[Role]

MEANINGS: dict[Role, str] = {
    Role.VIEWER: "sees batches by number and pseudonym, and de-identified images; never an identifier",
    Role.OPERATOR: "sees accession numbers; queues, retries, starts and stops",
    Role.REVIEWER: "sees originals and their header values; decides about what waits",
    Role.RESEARCHER: "asks the warehouse and downloads; sees no batches",
    Role.PRIVACY: "reads recipes and the audit trail; approves projects, and confirms crosswalks",
    Role.BROKER: "looks up which pseudonym belongs to which identifier; confirms crosswalks",
    Role.ADMIN: "adds and disables users, and gives them roles",
}

EVERYBODY: Roles = frozenset(Role)
IDENTIFIERS: Roles = frozenset({Role.OPERATOR, Role.REVIEWER, Role.BROKER})
"""Who sees accession numbers, and so may see everything that tells a date shift."""
PSEUDONYMS: Roles = frozenset({Role.VIEWER, Role.RESEARCHER}) | IDENTIFIERS
TRUE_TIMES: Roles = frozenset({Role.PRIVACY}) | IDENTIFIERS
"""Who sees when something happened to a batch; others see the year."""


def may_be_combined(roles: Iterable[Role]) -> bool:
    """Return whether one person may have all of these roles."""
    held = frozenset(roles)
    return bool(held & IDENTIFIERS) or not (held & PSEUDONYMS and held & TRUE_TIMES)
