"""Batch: one batch's files, history and archive, and what may be done to it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from sendit.audit.acts import Act
from sendit.ground import events
from sendit.pipeline import operations
from sendit.pipeline.reports import batches as reports
from sendit.pipeline.reports.batches import BatchEvent, BatchReport, WithheldFiles
from sendit.web import answers, notices
from sendit.web.access import may, person
from sendit.web.eyes import Eyes
from sendit.web.noting import note

NAMES_SHOWN = 200
"""So many names of files are shown for one reason."""


def batch(request: HttpRequest, key: int) -> HttpResponse:
    """Answer `/batches/<key>`."""
    found = reports.report(key)
    if found is None:
        return answers.refused(request, 404)
    eyes = Eyes.of(request)
    context = _context(found, eyes) | {
        "may_retry": may(request, "batch-retry", "POST") and operations.is_retryable(found.summary.state),
        "may_take_back": may(request, "batch-withdraw", "POST"),
        "is_withdrawn": found.summary.is_withdrawn,
        "of_same_study": reports.of_same_study(key),
        "notices": notices.take(request),
    }
    if eyes.sees_identifiers:
        note(request, Act.VIEW_BATCH, [key])
    return render(request, "web/batch.html", context)


def _context(found: BatchReport, eyes: Eyes) -> dict[str, Any]:
    summary = found.summary
    identified = reports.identified(summary.batch) if eyes.sees_identifiers else None
    names = identified.names.reveal() if identified else []
    return {
        "summary": summary,
        "recipe": found.recipe,
        "deliveries": found.deliveries,
        "eyes": eyes,
        "folder": identified.folder.reveal() if identified and identified.folder else "",
        "found_at": eyes.moment(summary.created_at),
        "delivered_at": eyes.moment(summary.delivered_at),
        "waits_until": eyes.moment(summary.not_before) if summary.waits_for else "",
        "waits_for": reports.sentences(summary.waits_for) if summary.waits_for else "",
        "withheld": [_withheld(one, names) for one in found.withheld],
        "history": [_event(one, eyes) for one in found.events],
    }


def _withheld(files: WithheldFiles, names: list[str]) -> dict[str, Any]:
    known = [(number, names[number - 1] if number <= len(names) else "") for number in files.numbers[:NAMES_SHOWN]]
    return {
        "files": files,
        "sentences": reports.sentences(files.reason) if files.outcome == "error" else "",
        "numbers": known,
        "more": max(0, len(files.numbers) - NAMES_SHOWN),
    }


def _event(event: BatchEvent, eyes: Eyes) -> dict[str, Any]:
    return {
        "at": eyes.moment(event.at),
        "name": event.name,
        "actor": event.actor,
        "fields": list(events.in_order(event.name, event.fields_for(eyes.sees_identifiers)).items()),
    }


def retry(request: HttpRequest, key: int) -> HttpResponse:
    """Answer `POST /batches/<key>/retry`."""
    note(request, Act.RETRY, [key])
    retried = operations.retry(key, person(request).name)
    if retried is None:
        return answers.refused(request, 404)
    if retried.is_queued:
        notices.give(request, f"Batch {key} was {retried.was} and is queued again.")
    else:
        notices.give(request, f"Batch {key} is {retried.was} and cannot be retried now.", is_problem=True)
    return redirect("batch", key)
