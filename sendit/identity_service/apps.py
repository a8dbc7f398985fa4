"""The Django app that owns clients, tokens and the audit."""

from __future__ import annotations

from django.apps import AppConfig


class IdentityServiceConfig(AppConfig):
    """The identity service's room."""

    name = "sendit.identity_service"
    label = "identity_service"
