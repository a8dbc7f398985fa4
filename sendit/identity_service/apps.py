"""The Django app that owns clients, tokens and the audit."""

from __future__ import annotations

from django.apps import AppConfig

from sendit.keys import KeyFile

KEY_FILES = frozenset({KeyFile.PSEUDONYM})
"""All that the service needs; it keeps no identifier."""


class IdentityServiceConfig(AppConfig):
    """The identity service's room."""

    name = "sendit.identity_service"
    label = "identity_service"
    written_with = dict.fromkeys(KEY_FILES, "Client")
