"""The Django app that owns the audit trail."""

from __future__ import annotations

from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "sendit.audit"
    label = "audit"
