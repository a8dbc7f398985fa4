"""The settings of the identity service's process: sendit's settings with its own URLs and middleware."""

from __future__ import annotations

from sendit.settings import *  # noqa: F403

ROOT_URLCONF = "sendit.identity_service.urls"
MIDDLEWARE = ["sendit.identity_service.patience.no_rest"]
