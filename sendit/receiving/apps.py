"""The Django app that owns what is being received."""

from __future__ import annotations

from django.apps import AppConfig

from sendit.keys import KeyFile


class ReceivingConfig(AppConfig):
    name = "sendit.receiving"
    label = "receiving"
    written_with = {KeyFile.IDENTIFIERS: "Landing", KeyFile.DIGEST: "Arrival"}
    """A row of which table shows that a key was used."""
