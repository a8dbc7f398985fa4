"""BigQuery jobs: each is started once, under an id that BigQuery accepts only once, and awaited; errors are mapped."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from sendit.adapters.google_cloud import PASSING_REASONS, Patience, Service, failures, may_pass, status_of
from sendit.errors import SenditError, ServiceDown, ServiceRefused

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

Job: TypeAlias = Any
"""A job of Google's library, whose job classes have no common type."""

SERVICE = Service("warehouse", "WarehouseDown")
FIRST_POLL_SECONDS, LAST_POLL_SECONDS = 0.05, 2.0
IN_THE_WAY = ("could not serialize access", "due to concurrent update", "too many dml statements outstanding")
"""Phrases in BigQuery's messages that mean a conflict with other statements; their reasons are ambiguous."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """Starts jobs at a location and waits for them; while it waits, it calls `check`, which raises to stop it."""

    client: Callable[[], Client]
    location: str
    patience: Patience
    check: Callable[[], None]

    def run(self, job_id: str, begin: Callable[[], Job]) -> None:
        """Run one job to success, even when the answer to the request that started it was lost.

        Raises
        ------
        ServiceDown, ServiceRefused
            The job failed, or is still running.
        """
        job = self._begun(begin) or self._known(job_id)
        self._wait(job)
        if job.error_result:
            raise _why(job)

    def run_in_turn(self, name: str, begin: Callable[[str], Job]) -> None:
        """Run a job to success while no other job of the same name runs, in any process.

        Jobs are called `name-0`, `name-1` and so on, and the next one starts only after the one before has ended. When
        a number is taken, the job belongs to another process, or it is ours and the answer was lost. Either way this
        call waits for that job to end and tries the next number.

        Raises
        ------
        ServiceDown, ServiceRefused
            Our job failed, or one of the jobs is still running.
        """
        number, ends_at, wait_seconds = 0, time.monotonic() + self.patience.job_seconds, 0.0
        while True:
            job = self._begun(partial(begin, f"{name}-{number}"))
            is_ours = job is not None
            job = job or self._known(f"{name}-{number}")
            self._wait(job)
            if is_ours and not job.error_result:
                return
            if is_ours:
                wait_seconds = max(self.patience.first_wait_seconds, 2 * wait_seconds)
                if not _may_do_better(job) or time.monotonic() + wait_seconds > ends_at:
                    raise _why(job)
                time.sleep(wait_seconds)
            number += 1

    def _begun(self, begin: Callable[[], Job]) -> Job | None:
        """Start the job and return it, or return None if its id is taken."""
        self.check()
        try:
            return self.patience.retry()(begin)()
        except failures() as error:
            if status_of(error) == http.client.CONFLICT:
                return None
            raise

    def _known(self, job_id: str) -> Job:
        """Return the job with that id. BigQuery may not find a job for a moment after it was started."""
        retry = self.patience.retry().with_predicate(_may_pass_or_appear)
        return self.client().get_job(
            job_id, location=self.location or None, retry=retry, timeout=self.patience.answer_seconds
        )

    def _wait(self, job: Job) -> None:
        ends_at = time.monotonic() + self.patience.job_seconds
        poll_seconds = FIRST_POLL_SECONDS
        while job.state != "DONE":
            self.check()
            if time.monotonic() > ends_at:
                raise ServiceDown(SERVICE.down)
            time.sleep(poll_seconds)
            poll_seconds = min(2 * poll_seconds, LAST_POLL_SECONDS)
            job.reload(**self.patience.terms)


def _may_pass_or_appear(error: Exception) -> bool:
    return may_pass(error) or status_of(error) == http.client.NOT_FOUND


def _why(job: Job) -> SenditError:
    """Map a failed job to an error, without BigQuery's message, which may quote a row."""
    if _may_do_better(job):
        return ServiceDown(SERVICE.down)
    reason = job.error_result.get("reason")
    if reason == "accessDenied":
        return ServiceRefused("AccessDenied", subject=SERVICE.name)
    return ServiceRefused("LoadRefused", subject=reason if isinstance(reason, str) and reason.isalpha() else None)


def _may_do_better(job: Job) -> bool:
    said = str(job.error_result.get("message", "")).lower()
    return job.error_result.get("reason") in PASSING_REASONS or any(words in said for words in IN_THE_WAY)
