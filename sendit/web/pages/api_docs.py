"""The API's description: the OpenAPI document, and a page of it that loads nothing."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from sendit.web import tokens
from sendit.web.api import routes


def openapi(request: HttpRequest) -> HttpResponse:
    """Answer `/api/openapi.json`."""
    return JsonResponse(_document(request))


def _document(request: HttpRequest) -> dict[str, Any]:
    """Return the document with how one signs in, and with the problems that any address may answer."""
    described = routes.document(request)
    described["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    described["security"] = [{"token": []}]
    problem = {"description": "A problem", "content": {"application/problem+json": {"schema": {"type": "object"}}}}
    for methods in described["paths"].values():
        for operation in methods.values():
            operation["responses"].update({"4XX": problem, "5XX": problem})
    return described


def docs(request: HttpRequest) -> HttpResponse:
    """Answer `/api/docs`."""
    described = _document(request)
    sections: dict[str, list[dict[str, Any]]] = {}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            about = {
                "method": method.upper(),
                "path": path,
                "summary": operation.get("description") or operation["summary"],
                "parameters": operation.get("parameters", []),
                "body": _properties(described, operation.get("requestBody", {})),
                "answer": _properties(described, operation["responses"].get(200, {})),
            }
            sections.setdefault(operation["tags"][0], []).append(about)
    context = {
        "sections": sections.items(),
        "scopes": list(tokens.MEANINGS.items()),
        "version": described["info"]["version"],
    }
    return render(request, "web/api_docs.html", context)


def _properties(described: dict[str, Any], holder: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the names and types of what a request or an answer holds."""
    schema = holder.get("content", {}).get("application/json", {}).get("schema", {})
    schema = schema.get("items", schema)
    name = schema.get("$ref", "").rpartition("/")[2]
    properties = described["components"]["schemas"].get(name, {}).get("properties", {})
    return [(field, _type(about)) for field, about in properties.items()]


def _type(about: dict[str, Any]) -> str:
    if "anyOf" in about:
        return " or ".join(_type(one) for one in about["anyOf"])
    if "$ref" in about:
        return str(about["$ref"]).rpartition("/")[2]
    if about.get("type") == "array":
        return f"list of {_type(about['items'])}"
    return str(about.get("type", "any"))
