"""What the web's process is started with; the one place in this room that asks Django for it."""

from __future__ import annotations

from django.conf import settings

from sendit.projects.composition import Projects
from sendit.projects.site import Site


def site() -> Site:
    """Return the settings."""
    found: Site = settings.SITE
    return found


def projects() -> Projects:
    """Return the site's projects, whose ports are made on first use."""
    return Projects(site())


def cookie_key() -> bytes:
    """Return the key of this deployment's cookies and digests."""
    return str(settings.SECRET_KEY).encode()
