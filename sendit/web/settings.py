"""The settings of the web's own process: sendit's, with its addresses and nothing around them."""

from __future__ import annotations

from sendit.settings import *  # noqa: F403

ROOT_URLCONF = "sendit.web.urls"
MIDDLEWARE: list[str] = []
