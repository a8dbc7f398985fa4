"""The Django app that owns requests."""

from __future__ import annotations

from django.apps import AppConfig

from sendit.keys import KeyFile


class ConfirmationsConfig(AppConfig):
    name = "sendit.confirmations"
    label = "confirmations"
    written_with = {KeyFile.IDENTIFIERS: "Request"}
    """A row of which table shows that a key was used."""
