"""Whose turn it is: among the projects with waiting batches, those of the highest priority by their shares.

Each claim draws lots, so that in the long run each project gets its share of the claims, and one with three batches
waits for a few claims, however many another one has. Processes need not agree on anything.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol

from django.db import connection

from sendit.errors import Misconfigured
from sendit.pipeline.record import pauses
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.states import Job
from sendit.projects.project import USUAL_CLAIMS, Claims

KNOWN_SECONDS = 1.0
"""For how long it is taken as known which projects have waiting batches."""


class KnowsProjects(Protocol):
    """What is asked of a site's projects."""

    @property
    def claims(self) -> Mapping[str, Claims]:
        """What each project that can be worked for may claim."""
        ...

    @property
    def refused(self) -> Mapping[str, object]:
        """Those that cannot be worked for."""
        ...


@dataclass(eq=False)
class Turns:
    """The order in which a process asks for batches of projects.

    Parameters
    ----------
    projects : KnowsProjects
    draw : random.Random
    """

    projects: KnowsProjects
    draw: random.Random = field(default_factory=random.SystemRandom)
    _waiting: dict[Job, tuple[str, ...]] = field(default_factory=dict)
    _known_until: dict[Job, float] = field(default_factory=dict)

    def rounds(self, job: Job) -> Iterator[list[str]]:
        """Yield projects that may have a waiting batch, each once in a round: those of a higher priority first.

        The first round goes by what was known a moment ago; whoever takes no batch in it gets another one by what is.
        While the projects' files cannot be looked at, nothing is anybody's turn.
        """
        with suppress(Misconfigured):
            claims = self.projects.claims
            if self._waiting.get(job) and self._known_until.get(job, 0.0) > time.monotonic():
                yield self._in_turn(self._waiting[job], claims)
            yield self._in_turn(self._look(job), claims)

    def _look(self, job: Job) -> tuple[str, ...]:
        out = pauses.paused_projects() | frozenset(self.projects.refused)
        self._waiting[job] = tuple(name for name in with_work(job) if name not in out)
        self._known_until[job] = time.monotonic() + KNOWN_SECONDS
        return self._waiting[job]

    def _in_turn(self, names: Iterable[str], claims: Mapping[str, Claims]) -> list[str]:
        waiting = [(claims.get(name, USUAL_CLAIMS), name) for name in names]
        waiting.sort(key=lambda one: -one[0].priority)
        by_priority = groupby(waiting, key=lambda one: one[0].priority)
        return [name for _, alike in by_priority for name in self._drawn(alike)]

    def _drawn(self, alike: Iterable[tuple[Claims, str]]) -> list[str]:
        """In an order in which each is first as often as its share says (Efraimidis and Spirakis, 2006)."""
        lots = [(self.draw.random() ** (1 / claims.share), name) for claims, name in alike]
        return [name for _, name in sorted(lots, reverse=True)]


PROJECTS = """
WITH RECURSIVE project_of_a_batch(name) AS (
    SELECT min(project) FROM {batch}
    UNION ALL
    SELECT (SELECT min(project) FROM {batch} WHERE project > name) FROM project_of_a_batch WHERE name IS NOT NULL
)
SELECT name FROM project_of_a_batch WHERE name IS NOT NULL
AND EXISTS (SELECT 1 FROM {batch} WHERE project = name AND state = %s)
"""
"""The projects with a waiting batch: a few steps in the index for each project, however many batches there are."""


def with_work(job: Job) -> list[str]:
    """Return the projects of which a batch waits for the job, also those that only batches know."""
    with connection.cursor() as cursor:
        cursor.execute(PROJECTS.format(batch=Batch._meta.db_table), [job.waiting])
        return [name for (name,) in cursor.fetchall()]
