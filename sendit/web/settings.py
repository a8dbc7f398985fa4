"""The settings of the web process: sendit's settings with its own URLs and no middleware."""

from __future__ import annotations

from sendit.settings import *  # noqa: F403

ROOT_URLCONF = "sendit.web.urls"
MIDDLEWARE: list[str] = []
