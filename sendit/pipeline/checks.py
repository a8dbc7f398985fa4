"""System checks: what is wrong with a deployment, with an id and a hint each. Runs before every command."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

NOT_BUILT = {
    "ANONYMIZE_RESTFUL": ("sendit.E001", "the DASHER identity service"),
    "ANONYMIZE_PIXELS": ("sendit.E002", "scrubbing of pixels"),
    "GOOGLE_CLOUD_STORAGE": ("sendit.E003", "delivery to Google Cloud"),
}
"""Settings of the production services, which this version refuses rather than ignores."""


@register()
def not_built(**_kwargs: Any) -> list[CheckMessage]:
    """Settings that ask for what is not built yet."""
    return [
        Error(f"SENDIT_{name} asks for {what}, which this version does not do.", hint=f"Unset SENDIT_{name}.", id=code)
        for name, (code, what) in NOT_BUILT.items()
        if getattr(settings, name)
    ]
