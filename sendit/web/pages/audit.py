"""Audit: who saw what identifies, and who did what; as a page, and for other systems."""

from __future__ import annotations

from datetime import UTC
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from sendit.audit import export
from sendit.audit.acts import TABLE, Act
from sendit.audit.models import AuditRow
from sendit.audit.trail import AuditFilter, newest, oldest_first
from sendit.web import reading
from sendit.web.noting import note

SIZE = 100
FORMS = {
    "json": (export.as_json, "application/x-ndjson", "audit.jsonl"),
    "xml": (export.as_xml, "text/plain", "audit.xml.txt"),
}


def audit(request: HttpRequest) -> HttpResponse:
    """Answer `/audit`."""
    rows = newest(_filter(request.GET), SIZE + 1)
    note(request, Act.READ_AUDIT)
    kept = {name: str(request.GET[name]) for name in ("actor", "act", "since", "until") if request.GET.get(name)}
    context = {
        "rows": [_row(row) for row in rows[:SIZE]],
        "acts": [(act, properties.words) for act, properties in TABLE.items()],
        "chosen": kept,
        "query": urlencode(kept),
        "next": urlencode(kept | {"before": str(rows[SIZE - 1].number)}) if len(rows) > SIZE else "",
    }
    return render(request, "web/audit.html", context)


def _row(row: AuditRow) -> dict[str, object]:
    about = TABLE[Act(row.act)]
    seen = [f"{kind} {key}" for kind, key in row.objects_seen]
    return {"row": row, "about": about, "at": f"{row.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}", "seen": ", ".join(seen)}


def export_rows(request: HttpRequest) -> HttpResponseBase:
    """Answer `/audit/export?form=json`: what the filter lets through, the oldest first."""
    form, content_type, name = FORMS.get(request.GET.get("form", ""), FORMS["json"])
    note(request, Act.READ_AUDIT, reason="export")
    lines = (f"{form(row)}\n" for row in oldest_first(_filter(request.GET)))
    answer = StreamingHttpResponse(lines, content_type=f"{content_type}; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _filter(query: QueryDict) -> AuditFilter:
    act = query.get("act", "")
    return AuditFilter(
        actor=query.get("actor", "")[:150],
        act=act if act in set(Act) else "",
        since=reading.midnight(query, "since"),
        until=reading.midnight(query, "until", days=1),
        before=reading.number(query, "before"),
    )
