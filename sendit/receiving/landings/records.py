"""The rows of the folders that are being filled. Every function ends its transaction before it returns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from os import fsencode

from django.apps import apps
from django.db import transaction
from django.utils import timezone

from sendit.ground.phi_field import digest
from sendit.phi import Phi
from sendit.receiving.models import Arrival, Landing, ReceivedInstance

CHUNK = 500
REMEMBERED_DAYS = 30
"""How long a peer may ask for commitment to images that were handed over."""


class Evidence(StrEnum):
    """What made a study complete."""

    COMMITMENT = "commitment"
    """A storage commitment request named every image that is here."""
    NOTIFICATION = "notification"
    """An Instance Availability Notification or a completed MPPS named every image that is here."""
    RETRIEVAL = "retrieval"
    """A retrieval of ours brought as many images as the query had counted."""
    QUIET = "quiet"
    """Nothing came for LISTENER_QUIET_SECONDS, and no association that had brought images was open."""
    CAP = "cap"
    """LISTENER_CAP_HOURS have passed since the first image."""


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """A folder that is recorded as ours."""

    pk: int
    path: str
    study: str
    target: str = ""
    evidence: str = ""


def open_folder(path: str, study: str) -> Opened:
    """Record a folder that is about to be made."""
    row = Landing.objects.create(folder=Phi({"path": path, "study": study, "target": ""}))
    return Opened(row.pk, path, study)


def all_open() -> Iterator[Opened]:
    """Yield every folder that is recorded as ours."""
    for row in Landing.objects.order_by("pk"):
        found = row.folder.reveal()
        yield Opened(row.pk, found["path"], found["study"], found["target"], row.evidence)


def announce(opened: Opened, target: str, evidence: Evidence, images: int, instances: Iterable[bytes]) -> Opened:
    """Record what the folder is about to be called and why, before it is renamed and anybody can take it."""
    with transaction.atomic():
        folder = Phi({"path": opened.path, "study": opened.study, "target": target})
        Landing.objects.filter(pk=opened.pk).update(folder=folder, evidence=evidence)
        arrival = Arrival.objects.create(
            folder_digest=digest(fsencode(target)),
            study_digest=digest(opened.study.encode()),
            evidence=evidence,
            images=images,
        )
        rows = (ReceivedInstance(digest=digest(instance), arrival=arrival) for instance in instances)
        ReceivedInstance.objects.bulk_create(rows, batch_size=CHUNK)
    return replace(opened, target=target, evidence=evidence)


def take_back(opened: Opened) -> None:
    """Forget an announcement after which the folder was not renamed."""
    Arrival.objects.filter(folder_digest=digest(fsencode(opened.target))).delete()


def close_folder(opened: Opened) -> None:
    """Forget a folder, because it is handed over or gone."""
    Landing.objects.filter(pk=opened.pk).delete()


def forget_old_instances() -> int:
    """Forget images that were handed over long ago; returns how many."""
    before = timezone.now() - timedelta(days=REMEMBERED_DAYS)
    return ReceivedInstance.objects.filter(arrival__at__lt=before).delete()[0]


def is_taken(path: str) -> bool:
    """Return whether a folder of this name was handed over before, or is known to whoever takes folders.

    Django's apps say so, because those that take folders stand above this room: an app may have `knows_folder`.
    """
    folder_digest = digest(fsencode(path))
    if Arrival.objects.filter(folder_digest=folder_digest).exists():
        return True
    return any(app.knows_folder(folder_digest) for app in apps.get_app_configs() if hasattr(app, "knows_folder"))
