"""How long the service waits for the bytes of a request, so that clients that send none cannot hold all of its threads.

Knows sockets and gunicorn; nothing of what is asked.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from sendit.errors import ServiceDown

BODY_SECONDS = 5
"""A body has 2 MB at most, and comes from the gateway's own network or from a proxy that holds all of it."""
BODIES_AT_ONCE = 2
"""Bodies that one process waits for; its other threads answer, of four the half."""
TURN_SECONDS = 0.2
"""How long a request waits for its turn. A body that is there is read in a millisecond."""

_turns = threading.BoundedSemaphore(BODIES_AT_ONCE)


@contextmanager
def waiting_for_body(request: HttpRequest) -> Iterator[None]:
    """Wait for a body within this: behind BODY_SECONDS its connection has an end, so that reading fails.

    Raises
    ------
    ServiceDown
        `Busy`: too many bodies have not come yet.
    """
    if not _turns.acquire(timeout=TURN_SECONDS):
        raise ServiceDown("Busy")
    timer = threading.Timer(BODY_SECONDS, _end_input, (request,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        _turns.release()


def no_rest(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """The middleware that ends what is left of a body which was not read: gunicorn would wait for it."""

    def answered(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if not hasattr(request, "_body") and request.headers.get("Content-Length", "0") != "0":
            _end_input(request)
        return response

    return answered


def _end_input(request: HttpRequest) -> None:
    connection = request.META.get("gunicorn.socket")
    if isinstance(connection, socket.socket):
        with suppress(OSError):  # it has ended already
            connection.shutdown(socket.SHUT_RD)
