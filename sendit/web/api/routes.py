"""The API's addresses. Each has a name, and a row of that name in the table of access."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Le
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from ninja import NinjaAPI
from ninja.errors import ValidationError

import sendit
from sendit.audit.acts import Act
from sendit.errors import CODES, SenditError
from sendit.pipeline import operations
from sendit.pipeline.reports import batches as reports
from sendit.pipeline.reports import images, overview, surroundings
from sendit.pipeline.reports.batches import BatchFilter, BatchReport
from sendit.web import problems, questions
from sendit.web.access import BATCHES, RESEARCHER, person
from sendit.web.api import pulls, reviewing, shown, studies
from sendit.web.api.bounds import Key, Size
from sendit.web.api.schemas import (
    BatchOut,
    BatchPage,
    DoneOut,
    EventOut,
    GbOut,
    ImagePage,
    MetricsOut,
    QueryIn,
    QueryOut,
    QueueOut,
    ReportOut,
    WithheldOut,
)
from sendit.web.eyes import Eyes
from sendit.web.noting import note
from sendit.web.problems import NothingHere
from sendit.web.reach import reach
from sendit.web.site import projects, site

api = NinjaAPI(
    title="sendit",
    version=sendit.__version__,
    description="Batches, images and operations. Send `Authorization: Bearer TOKEN`; errors are problem details.",
    urls_namespace="api",
    docs_url=None,
    openapi_url=None,
)


@api.exception_handler(NothingHere)
def _nothing_here(request: HttpRequest, error: NothingHere) -> HttpResponse:
    return problems.problem("NothingHere")


@api.exception_handler(SenditError)
def _refused(request: HttpRequest, error: SenditError) -> HttpResponse:
    return problems.of_error(error)


@api.exception_handler(ValidationError)
def _not_as_described(request: HttpRequest, error: ValidationError) -> HttpResponse:
    return problems.problem("NotAsDescribed")


# ------------------------------------------------------------------------------------------ batches


@api.get("/batches", response=BatchPage, url_name="batches", tags=["batches"])
def batches(
    request: HttpRequest,
    status: str = "",
    code: str = "",
    rule: str = "",
    project: str = "",
    has_error: bool = False,
    limit: Size = 50,
    before: Key | None = None,
) -> BatchPage:
    """List batches, the newest first; `next` leads to older ones."""
    eyes = Eyes.of(request)
    known_state, known_code = status in ("", *reports.STATES), code == "" or code in CODES
    if not (known_state and known_code):
        return BatchPage(count=0, next=None, previous=None, results=[])
    reached = reach(request).shown(BATCHES, project)
    which = BatchFilter(state=status, has_error=has_error, code=code, rule=rule, projects=reached)
    page = reports.page(which, before, limit)
    if eyes.sees_identifiers and page.batches:
        note(request, Act.LIST, (one.batch for one in page.batches))
    is_all = which == BatchFilter()
    return BatchPage(
        count=shown.counted_now("batches", reports.total) if is_all else None,
        next=shown.leading_to(request, page.before),
        previous=shown.leading_back(request, reports.key_above(which, page, limit), before),
        results=shown.batches(page.batches, eyes),
    )


@api.get("/batches/{key}", response=BatchOut, url_name="batch", tags=["batches"])
def batch(request: HttpRequest, key: Key) -> BatchOut:
    """One batch."""
    eyes, found = Eyes.of(request), _report(key)
    if eyes.sees_identifiers:
        note(request, Act.LIST, [key])
    return shown.batches([found.summary], eyes)[0]


@api.get("/batches/{key}/history", response=list[EventOut], url_name="batch-history", tags=["batches"])
def history(request: HttpRequest, key: Key) -> list[EventOut]:
    """A batch's history, the oldest line first."""
    eyes = Eyes.of(request)
    return [
        EventOut(
            at=eyes.moment(event.at), name=event.name, actor=event.actor, fields=event.fields_for(eyes.sees_identifiers)
        )
        for event in _report(key).events
    ]


@api.get("/batches/{key}/report", response=ReportOut, url_name="batch-report", tags=["batches"])
def report(request: HttpRequest, key: Key) -> ReportOut:
    """What became of a batch's files: found = delivered + filtered + in_review + errored."""
    found = _report(key)
    about = found.summary
    withheld = [
        WithheldOut(outcome=one.outcome, reason=one.reason, tag=one.tag, numbers=list(one.numbers))
        for one in found.withheld
    ]
    return ReportOut(
        batch=key, found=about.found, delivered=about.delivered, filtered=about.filtered,
        in_review=about.in_review, errored=about.errored, withheld=withheld,
        recipe=found.recipe.name, recipe_sha256=found.recipe.sha256,
    )  # fmt: skip


def _report(key: int) -> BatchReport:
    found = reports.report(key)
    if found is None:
        raise NothingHere
    return found


@api.get("/images", response=ImagePage, url_name="images", tags=["images"])
def all_images(
    request: HttpRequest, batch: Key | None = None, limit: Size = 100, before: Key | None = None
) -> ImagePage:
    """List images, the newest first, of all batches or of one."""
    eyes = Eyes.of(request)
    page = images.page(batch, before, limit)
    count = images.total(batch) if batch is not None else shown.counted_now("images", images.total)
    return ImagePage(
        count=count,
        next=shown.leading_to(request, page.before),
        previous=shown.leading_back(request, images.key_above(batch, page, limit), before),
        results=shown.images(page.images, eyes),
    )


# ------------------------------------------------------------------------------------------ metrics


@api.get("/metrics", response=MetricsOut, url_name="metrics", tags=["metrics"])
def metrics(request: HttpRequest) -> MetricsOut:
    """Counts by state, under the seeds' names: SEEN is all batches, SENT is DONE."""
    states, _ = overview.standing()
    folders = surroundings.folders(projects())
    eyes = Eyes.of(request)
    counts = {str(state): number for state, number in states.items()}
    return MetricsOut(
        timestamp=eyes.moment(timezone.now()),
        data_root=str(site().data_base) if eyes.sees_identifiers else None,
        data_total=sum(states.values()) + folders.not_taken,
        batches={"SEEN": sum(states.values()), "SENT": counts["DONE"], **counts},
    )


@api.get("/metrics/gb", response=GbOut, url_name="metrics-gb", tags=["metrics"])
def gb(request: HttpRequest) -> GbOut:
    """Gigabytes (10⁹ bytes of input) delivered a day, on average of the last 30 days."""
    return gb_of_days(request, 30)


@api.get("/metrics/gb/{days}", response=GbOut, url_name="metrics-gb-days", tags=["metrics"])
def gb_of_days(request: HttpRequest, days: Annotated[int, Ge(1), Le(366)]) -> GbOut:
    """The same of the last days."""
    delivered = overview.delivered_bytes(days)
    return GbOut(gb_per_day=round(delivered / 1e9 / days, 6), days=days)


# ------------------------------------------------------------------------------------------ operations


@api.post("/batches/{key}/retry", response=DoneOut, url_name="retry", tags=["operations"])
def retry(request: HttpRequest, key: Key) -> DoneOut:
    """Queue a batch in ERROR or EMPTY again."""
    note(request, Act.RETRY, [key])
    retried = operations.retry(key, person(request).name)
    if retried is None:
        raise NothingHere
    said = "queued again" if retried.is_queued else f"left alone: it is {retried.was}"
    return DoneOut(batches=[key] if retried.is_queued else [], message=said)


api.add_router("", studies.router)
api.add_router("", pulls.router)
api.add_router("", reviewing.router)


@api.post("/queue", response=QueueOut, url_name="queue", tags=["operations"])
def queue(request: HttpRequest) -> QueueOut:
    """Make batches of the finished folders that are none yet."""
    note(request, Act.QUEUE)
    known = projects()
    added = operations.queue_of(known.names, known, site().settle_seconds, None, person(request).name)
    return QueueOut(queued=added.number, being_written=len(added.left))


@api.post("/query", response=QueryOut, url_name="query", tags=["warehouse"])
def query(request: HttpRequest, question: QueryIn) -> QueryOut:
    """Ask the warehouse one SQL statement, read-only, limited in rows and time."""
    note(request, Act.QUERY_WAREHOUSE)
    names = reach(request).names(RESEARCHER)
    if question.project not in ("", *names):
        raise NothingHere
    answered = questions.ask(projects().of(question.project or names[0]), question.sql)
    rows = [[shown.as_json(value) for value in row] for row in answered.rows]
    return QueryOut(columns=list(answered.columns), rows=rows, is_cut=answered.is_cut)


def document(request: HttpRequest) -> dict[str, Any]:
    """Return the OpenAPI document."""
    described: dict[str, Any] = api.get_openapi_schema(path_prefix=reverse("api:api-root"))
    return described
