"""The roles that people have, at a site or in a project."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a person is here for."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    REVIEWER = "reviewer"
    RESEARCHER = "researcher"
    PRIVACY = "privacy"
    BROKER = "broker"
    ADMIN = "admin"


OF_PROJECTS = frozenset({Role.VIEWER, Role.OPERATOR, Role.REVIEWER, Role.RESEARCHER})
"""Those that a person may have in a single project: identifiers, the audit trail and the users are looked up at the
site."""
