"""Batches: the list with its filters, its search, and the list as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render

from sendit.audit.acts import Act
from sendit.errors import CODES
from sendit.pipeline.reports import batches as reports
from sendit.pipeline.reports.batches import BatchFilter, BatchSummary, Page
from sendit.web import answers, notices, reading
from sendit.web.access import BATCHES
from sendit.web.eyes import Eyes
from sendit.web.noting import note
from sendit.web.reach import reach

SIZE, CSV_ROWS = 50, 5_000
FILTERS = ("state", "has_error", "code", "rule", "project", "since", "until")


def batches(request: HttpRequest) -> HttpResponse:
    """Answer `/batches`; a browser that asks for news gets the table."""
    eyes = Eyes.of(request)
    page = reports.page(_filter(request, eyes), reading.number(request.GET, "before"), SIZE)
    context = {"page": page, "rows": _rows(page, eyes), "eyes": eyes, "next": _next(request.GET, page, eyes)}
    if request.headers.get("HX-Request"):
        answer = answers.fragment(request, "web/batches_rows.html", context)
    else:
        answer = render(request, "web/batches.html", context | _choices(request, eyes))
    if eyes.sees_identifiers and page.batches and answer.status_code == 200:
        note(request, Act.LIST, (one.batch for one in page.batches))
    return answer


def _choices(request: HttpRequest, eyes: Eyes) -> dict[str, Any]:
    return {
        "states": reports.STATES,
        "codes": sorted(CODES),
        "chosen": {name: request.GET.get(name, "") for name in _filters_for(eyes)},
        "query": urlencode(_kept(request.GET, eyes)),
        "notices": notices.take(request),
    }


def _filters_for(eyes: Eyes) -> tuple[str, ...]:
    """Return the filters that a person has: by asking for dates, one would find out when a batch was found."""
    return FILTERS if eyes.sees_times else tuple(name for name in FILTERS if name not in ("since", "until"))


def _filter(request: HttpRequest, eyes: Eyes) -> BatchFilter:
    """Return what is asked for, as far as the person's roles reach; what makes no sense is not asked for."""
    query = request.GET
    state, code = query.get("state", ""), query.get("code", "")
    return BatchFilter(
        state=state if state in reports.STATES else "",
        has_error=query.get("has_error") == "1",
        code=code if code in CODES else "",
        rule=query.get("rule", "")[:255],
        projects=reach(request).shown(BATCHES, query.get("project", "")[:64]),
        since=reading.midnight(query, "since") if eyes.sees_times else None,
        until=reading.midnight(query, "until", days=1) if eyes.sees_times else None,
    )


def _kept(query: QueryDict, eyes: Eyes) -> dict[str, str]:
    return {name: str(query[name]) for name in _filters_for(eyes) if query.get(name)}


def _next(query: QueryDict, page: Page, eyes: Eyes) -> str:
    """Return the query of the next page; blank on the last one."""
    return "" if page.before is None else urlencode(_kept(query, eyes) | {"before": page.before})


def _rows(page: Page, eyes: Eyes) -> list[dict[str, Any]]:
    names = reports.accession_numbers(one.batch for one in page.batches) if eyes.sees_identifiers else {}
    return [
        {
            "summary": one,
            "accession_number": names[one.batch].reveal() if one.batch in names else "",
            "found_at": eyes.moment(one.created_at),
            "changed_at": eyes.moment(one.changed_at),
        }
        for one in page.batches
    ]


# ------------------------------------------------------------------------------------------ search


def search(request: HttpRequest) -> HttpResponse:
    """Answer `POST /batches/search`. What is searched for may identify, so it stands in no URL."""
    eyes, wanted = Eyes.of(request), request.POST.get("wanted", "").strip()
    meant = sorted(set(_meant(wanted, eyes)))[:SIZE] if wanted else []
    page = reports.those(meant, reach(request).projects(BATCHES))
    found = [one.batch for one in page.batches]
    note(request, Act.SEARCH, found)
    if len(found) == 1:
        return redirect("batch", found[0])
    if not found:
        notices.give(request, "No batch is known by that.", is_problem=True)
        return redirect("batches")
    context = {"page": page, "rows": _rows(page, eyes), "eyes": eyes, "next": "", "is_search": True}
    return render(request, "web/batches.html", context | _choices(request, eyes))


def _meant(wanted: str, eyes: Eyes) -> list[int]:
    """Return keys of batches: by key and pseudonym, and by accession number for who sees those."""
    if eyes.sees_identifiers:
        return reports.meant_by(wanted)
    return reports.meant_without_identifiers(wanted)


# ------------------------------------------------------------------------------------------ CSV


def batches_csv(request: HttpRequest) -> HttpResponse:
    """Answer `/batches.csv`: what the list shows with these filters, up to a number of rows."""
    eyes = Eyes.of(request)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_header(eyes))
    listed: list[int] = []
    for page in _pages(request, eyes):
        listed += [one.batch for one in page.batches]
        names = {row["summary"].batch: row["accession_number"] for row in _rows(page, eyes)}
        writer.writerows(_line(one, names[one.batch], eyes) for one in page.batches)
    note(request, Act.DOWNLOAD, listed, reason="list of batches as CSV")
    answer = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="batches.csv"'
    return answer


def _pages(request: HttpRequest, eyes: Eyes) -> Iterator[Page]:
    which, before, left = _filter(request, eyes), reading.number(request.GET, "before"), CSV_ROWS
    while left > 0:
        page = reports.page(which, before, min(left, 500))
        yield page
        if page.before is None:
            return
        before, left = page.before, left - max(len(page.batches), 50)


COLUMNS = ("pseudonym", "project", "state", "has_error", "found", "delivered", "filtered", "errored", "codes",
           "found_at", "changed_at", "in_review")  # fmt: skip


def _header(eyes: Eyes) -> list[str]:
    return ["batch", *(["accession_number"] if eyes.sees_identifiers else []), *COLUMNS]


def _line(one: BatchSummary, accession_number: str, eyes: Eyes) -> list[object]:
    own = [_harmless(accession_number)] if eyes.sees_identifiers else []
    files = one.found, one.delivered, one.filtered, one.errored
    codes = " ".join(sorted({error.code for error in one.errors}))
    times = eyes.moment(one.created_at), eyes.moment(one.changed_at)
    return [
        one.batch,
        *own,
        one.item_suid,
        one.project,
        one.state,
        str(one.has_error).lower(),
        *files,
        codes,
        *times,
        one.in_review,
    ]


def _harmless(text: str) -> str:
    """Return the text so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
