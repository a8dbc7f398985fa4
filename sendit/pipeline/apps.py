"""The Django app that owns state."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings

from sendit.ground.database import KeyBindings
from sendit.keys import LATER, KeyFile


class PipelineConfig(AppConfig):
    """The pipeline room."""

    name = "sendit.pipeline"
    label = "pipeline"
    written_with = dict.fromkeys((file for file in KeyFile if file not in LATER), "Batch")
    """A row of which table shows that a key was used; what was signed is elsewhere."""

    @property
    def key_bindings(self) -> KeyBindings:
        """What `ground.database` asks about the keys; its table is loaded when Django's apps are."""
        from sendit.pipeline.record import key_bindings

        return key_bindings

    def knows_folder(self, folder_digest: str) -> bool:
        """Return whether a folder of this keyed digest is a batch, for those who are about to name a folder."""
        from sendit.pipeline.record.models import Batch

        return Batch.objects.filter(folder_digest=folder_digest).exists()

    def ready(self) -> None:
        """Register the system checks, and send alarms where the settings say."""
        from sendit.ground import alarms
        from sendit.pipeline import checks  # noqa: F401

        if settings.SITE.sentry_dsn:
            alarms.send_to(settings.SITE.sentry_dsn)
