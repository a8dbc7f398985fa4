"""A whole series in one picture, for a reviewer who looks for text in it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from sendit import rendering
from sendit.audit.acts import Act
from sendit.errors import SenditError
from sendit.pipeline.reports import images, review
from sendit.web import answers
from sendit.web.noting import note

MOST = 200
"""Images of a series that one picture is made of; more of them take longer than a person waits."""


def projection(request: HttpRequest, key: int, number: int) -> HttpResponse:
    """Answer `/batches/<key>/images/<number>/projection.png`: what waits of the image's series."""
    if not rendering.is_available():
        return answers.refused(request, 404)
    from sendit.rendering.projection import brightest

    numbers = review.of_same_series(key, number)[:MOST]
    note(request, Act.VIEW_ORIGINAL, [key], reason=f"projection of {len(numbers)} images")
    try:
        content = brightest(images.original(key, one).reveal() for one in numbers)
    except SenditError:
        return answers.refused(request, 404)
    return HttpResponse(content, content_type="image/png")
