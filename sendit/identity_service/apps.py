"""The Django app that owns clients, tokens and the audit."""

from __future__ import annotations

from django.apps import AppConfig

from sendit.keys import KeyFile

KEY_FILES = frozenset({KeyFile.PSEUDONYM})
"""The only key that the service needs, because it stores no identifier."""


class IdentityServiceConfig(AppConfig):
    name = "sendit.identity_service"
    label = "identity_service"
    written_with = dict.fromkeys(KEY_FILES, "Client")
