"""The Django app that owns state."""

from __future__ import annotations

from django.apps import AppConfig


class PipelineConfig(AppConfig):
    """The pipeline room."""

    name = "sendit.pipeline"
    label = "pipeline"

    def ready(self) -> None:
        """Register the system checks."""
        from sendit.pipeline import checks  # noqa: F401
