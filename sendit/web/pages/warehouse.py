"""Warehouse: its tables with their meaning, a question in SQL, and a browser of series whose result is a manifest."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render

from sendit.audit.acts import Act
from sendit.errors import SenditError
from sendit.ports import TABLES
from sendit.projects.project import DEFAULT
from sendit.web import questions
from sendit.web.access import RESEARCHER
from sendit.web.noting import note
from sendit.web.questions import Answer
from sendit.web.reach import reach
from sendit.web.site import projects

CSV_ROWS = 100_000
EXAMPLE = """\
SELECT Modality, count(*) AS images, count(DISTINCT CodedPatientID) AS patients
FROM instance GROUP BY Modality ORDER BY images DESC"""
SERIES_ROWS = 200
EXACT = ("Modality", "BodyPartExamined")
CONTAINED = ("SeriesDescription", "StudyDescription")
LIMITS = (("thinnest", "SliceThickness >= "), ("thickest", "SliceThickness <= "), ("images", "image_count >= "))
SHOWN = (
    "CodedPatientID", "study_date", "Modality", "BodyPartExamined", "SeriesDescription", "SliceThickness", "Rows",
    "Columns", "image_count", "SeriesInstanceUID",
)  # fmt: skip
MANIFEST = ("SeriesInstanceUID", "StudyInstanceUID", "CodedPatientID", "CodedAccessionNumberID", "image_count")


def warehouse(request: HttpRequest) -> HttpResponse:
    """Answer `/warehouse`: a question is sent as a form, because it may be long."""
    sql, project = request.POST.get("sql", ""), _project(request)
    context = _projects(request, project) | {
        "tables": TABLES.items(),
        "sql": sql or EXAMPLE,
        "most": questions.MOST_ROWS,
    }
    if request.method != "POST":
        return render(request, "web/warehouse.html", context)
    is_csv = request.POST.get("form") == "csv"
    note(request, Act.QUERY_WAREHOUSE, reason="as CSV" if is_csv else "")
    try:
        answer = questions.ask(projects().of(project), sql, CSV_ROWS if is_csv else questions.MOST_ROWS)
    except SenditError as error:
        return render(request, "web/warehouse.html", context | {"problem": str(error)}, status=422)
    if is_csv:
        return _csv(answer, "answer.csv")
    return render(request, "web/warehouse.html", context | {"answer": answer})


def series(request: HttpRequest) -> HttpResponse:
    """Answer `/warehouse/series`: the series that the filters let through."""
    chosen = {name: request.GET.get(name, "") for name in (*EXACT, *CONTAINED, *(name for name, _ in LIMITS))}
    project = _project(request)
    said = {k: v for k, v in (chosen | {"project": request.GET.get("project", "")}).items() if v}
    context = _projects(request, project) | {"chosen": chosen, "query": urlencode(said)}
    note(request, Act.QUERY_WAREHOUSE, reason="series")
    try:
        context["answer"] = questions.ask(projects().of(project), _sql(request.GET, SHOWN), SERIES_ROWS)
    except SenditError as error:
        context["problem"] = str(error)
    return render(request, "web/series.html", context)


def manifest(request: HttpRequest) -> HttpResponse:
    """Answer `/warehouse/manifest.csv`: what `sendit download --manifest` takes."""
    note(request, Act.DOWNLOAD, reason="manifest of series")
    try:
        answer = questions.ask(projects().of(_project(request)), _sql(request.GET, MANIFEST), CSV_ROWS)
    except SenditError as error:
        return render(request, "web/series.html", {"chosen": {}, "problem": str(error)}, status=422)
    return _csv(answer, "manifest.csv")


def _project(request: HttpRequest) -> str:
    """Return the project whose warehouse is asked: the one that is chosen, if the person's roles reach it."""
    names = reach(request).names(RESEARCHER)
    wanted = (request.POST if request.method == "POST" else request.GET).get("project", "")
    return wanted if wanted in names else next(iter(names), DEFAULT)


def _projects(request: HttpRequest, project: str) -> dict[str, Any]:
    """Return what the choice of a project needs."""
    return {"projects": reach(request).names(RESEARCHER), "project": project}


def _sql(query: QueryDict, columns: tuple[str, ...]) -> str:
    asked = " AND ".join(_conditions(query)) or "TRUE"
    names = ", ".join(f'"{name}"' if name == "Columns" else name for name in columns)
    return f"SELECT {names} FROM series WHERE {asked} ORDER BY CodedPatientID, study_date, SeriesInstanceUID"


def _conditions(query: QueryDict) -> Iterator[str]:
    """Yield conditions; what was typed is a quoted text or a number in them, and never SQL."""
    for name in EXACT:
        if value := query.get(name, "").strip():
            yield f"upper({name}) = upper({_quoted(value)})"
    for name in CONTAINED:
        if value := query.get(name, "").strip():
            yield f"strpos(lower({name}), lower({_quoted(value)})) > 0"
    for name, condition in LIMITS:
        if (number := _number(query.get(name, ""))) is not None:
            yield f"{condition}{number}"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "").replace("\0", "").replace("'", "''")[:200] + "'"


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e9 else None


def _csv(answer: Answer, name: str) -> HttpResponse:
    text = io.StringIO()
    csv.writer(text).writerows([answer.columns, *([_harmless(value) for value in row] for row in answer.rows)])
    download = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    download["Content-Disposition"] = f'attachment; filename="{name}"'
    return download


def _harmless(value: object) -> object:
    """Return a value so that no spreadsheet takes a text for a formula."""
    is_formula = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if is_formula else value
