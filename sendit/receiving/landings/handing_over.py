"""When a study's folder gets its final name, and how: durable and recorded before, never in another folder's place."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Protocol

from sendit.ground import events
from sendit.receiving.landings import records
from sendit.receiving.landings.names import folder_name, late_name
from sendit.receiving.landings.records import Evidence
from sendit.receiving.landings.study import StudyLanding
from sendit.receiving.landings.zone import Zone, sync_folder
from sendit.receiving.terms import Terms


class Expected(Protocol):
    """What is known of a study that we retrieve ourselves."""

    @property
    def is_under_way(self) -> bool:
        """Whether images may still come."""

    @property
    def whole(self) -> int | None:
        """How many images make the study whole, once the peer says that it has sent them all."""


Expectations = Callable[[Collection[str]], Mapping[str, Expected]]
"""Returns what is known of the studies with these UIDs that we retrieve ourselves."""


def nothing_expected(studies: Collection[str]) -> Mapping[str, Expected]:
    return {}


def evidence_for(landing: StudyLanding, terms: Terms, now: float, expected: Expected | None = None) -> Evidence | None:
    """Return what says that a study is complete, or None as long as nothing does."""
    if landing.evidence:
        return landing.evidence
    if expected and expected.whole is not None and landing.images >= expected.whole and not landing.under_way:
        return Evidence.RETRIEVAL
    if landing.seconds_quiet(now) >= terms.quiet_seconds and not (expected and expected.is_under_way):
        return Evidence.QUIET
    return Evidence.CAP if now - landing.now >= terms.cap_seconds else None


def hand_over_complete(zone: Zone, terms: Terms, expectations: Expectations = nothing_expected) -> None:
    """Hand over every study of a zone that is complete.

    Raises OSError or an error of the database; what was not handed over is complete all the same, and comes next time.
    """
    zone.look_for_expected()
    studies = zone.studies()
    expected = expectations([landing.opened.study for landing in studies])
    for landing in studies:
        evidence = evidence_for(landing, terms, time.monotonic(), expected.get(landing.opened.study))
        if evidence and zone.close(landing):
            landing.evidence = evidence
    for landing in zone.complete():
        _hand_over(zone, landing)
        zone.forget(landing)


def _hand_over(zone: Zone, landing: StudyLanding) -> None:
    opened, images, evidence = landing.opened, landing.images, landing.evidence or Evidence.QUIET
    if not images:
        with suppress(FileNotFoundError):
            os.rmdir(opened.path)
        records.close_folder(opened)
        return
    landing.sync_all()
    target = free_name(zone.data_folder, landing.name or folder_name(opened.study.encode()))
    announced = records.announce(opened, target, evidence, images, landing.instances)
    try:
        os.rename(opened.path, target)
    except OSError:
        records.take_back(announced)
        raise
    sync_folder(zone.data_folder)
    records.close_folder(opened)
    events.log("listener.handed_over", evidence=str(evidence), images=images)


def free_name(data_folder: str, name: str) -> str:
    """Return the path for a folder: `name`, or `name.late1` and so on if it is there or was handed over before."""
    for number in itertools.count():
        path = os.path.join(data_folder, late_name(name, number))
        if not os.path.lexists(path) and not records.is_taken(path):
            return path
    raise AssertionError  # pragma: no cover - the count does not end
