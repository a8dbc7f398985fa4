"""The terms on which the listener receives: values of the site's settings, made once and handed down."""

from __future__ import annotations

from dataclasses import dataclass

from sendit.projects.site import Site

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Terms:
    """What the listener allows, and what it waits for."""

    quiet_seconds: float
    cap_seconds: float
    syncs_each_image: bool
    max_associations: int
    max_associations_per_address: int
    max_object_bytes: int
    min_free_bytes: int
    idle_seconds: float

    @classmethod
    def of(cls, site: Site) -> Terms:
        """Return the terms that the settings describe."""
        return cls(
            quiet_seconds=site.listener_quiet_seconds,
            cap_seconds=site.listener_cap_hours * 3600,
            syncs_each_image=site.listener_sync == "image",
            max_associations=site.listener_max_associations,
            max_associations_per_address=site.listener_max_associations_per_address,
            max_object_bytes=site.listener_max_object_mb * MEGABYTE,
            min_free_bytes=site.listener_min_free_mb * MEGABYTE,
            idle_seconds=site.listener_idle_seconds,
        )
