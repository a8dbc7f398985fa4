"""The settings of the identity service's process: sendit's settings with its own URLs and no middleware."""

from __future__ import annotations

from sendit.settings import *  # noqa: F403

ROOT_URLCONF = "sendit.identity_service.urls"
MIDDLEWARE: list[str] = []
