"""Jobs of BigQuery: begun once under an id that is taken for ever, waited for, and told apart by how they ended."""

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
"""A job of the library; its kinds have no type in common."""

SERVICE = Service("warehouse", "WarehouseDown")
FIRST_POLL_SECONDS, LAST_POLL_SECONDS = 0.05, 2.0
IN_THE_WAY = ("could not serialize access", "due to concurrent update", "too many dml statements outstanding")
"""What BigQuery says, under reasons that mean other things too, when other statements on a table are in the way."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """Begins jobs at a location and waits for them; `check` says meanwhile whether to go on."""

    client: Callable[[], Client]
    location: str
    patience: Patience
    check: Callable[[], None]

    def run(self, job_id: str, begin: Callable[[], Job]) -> None:
        """One job to its good end, whether or not its first answer was lost.

        Raises
        ------
        ServiceDown, ServiceRefused
            It ended badly, or has not ended yet.
        """
        job = self._begun(begin) or self._known(job_id)
        self._wait(job)
        if job.error_result:
            raise _why(job)

    def run_in_turn(self, name: str, begin: Callable[[str], Job]) -> None:
        """A job to its good end that ran alone: of all jobs under the name, one is begun when the one before has ended.

        Jobs are `name-0`, `name-1` and so on. A number that is taken is another's, or our own whose answer was lost; it
        is waited for, and the next number tried.

        Raises
        ------
        ServiceDown, ServiceRefused
            Our job ended badly, or one of them has not ended yet.
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
        """The job, or None where its id is taken."""
        self.check()
        try:
            return self.patience.retry()(begin)()
        except failures() as error:
            if status_of(error) == http.client.CONFLICT:
                return None
            raise

    def _known(self, job_id: str) -> Job:
        """The job of that id. Right after it was begun it may not be found yet."""
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
    """A job's bad end as an error, without the words that it ended with: they may quote a row."""
    if _may_do_better(job):
        return ServiceDown(SERVICE.down)
    reason = job.error_result.get("reason")
    if reason == "accessDenied":
        return ServiceRefused("AccessDenied", subject=SERVICE.name)
    return ServiceRefused("LoadRefused", subject=reason if isinstance(reason, str) and reason.isalpha() else None)


def _may_do_better(job: Job) -> bool:
    said = str(job.error_result.get("message", "")).lower()
    return job.error_result.get("reason") in PASSING_REASONS or any(words in said for words in IN_THE_WAY)
