"""`POST /dicomweb/studies`: images over HTTP (STOW-RS). They land as those of the DICOM network do."""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from sendit.errors import Misconfigured, ServiceDown
from sendit.ground import events
from sendit.receiving.dicomweb.forwarding import Forwarder
from sendit.receiving.dicomweb.store import BadRequest, sender_of, store
from sendit.receiving.peers import peers_of
from sendit.receiving.presence import local_socket
from sendit.web.site import site

JSON = "application/dicom+json"
REFUSALS = {400: "BadMultipart", 401: "UnknownToken", 406: "NotAcceptable", 415: "UnsupportedMediaType"}
ACCEPTABLE = (JSON, "application/json", "application/*", "*/*")


@csrf_exempt
def studies(request: HttpRequest) -> HttpResponse:
    """Store the images of a request; the sender shows its token, and no cookie counts."""
    try:
        peers = peers_of(site())
        peer = sender_of(peers, request.headers.get("Authorization", ""))
    except Misconfigured:  # nobody may send without a peers file; the listener says what is wrong with it
        peer = None
    if peer is None:
        return _refusal(401)
    accepted = request.headers.get("Accept") or "*/*"
    if not any(kind in accepted for kind in ACCEPTABLE):
        return _refusal(406)
    return _store(request, Forwarder(local_socket(site().var), peers, peer), peer.name)


def _refusal(status: int) -> HttpResponse:
    events.log("stow.refused", status=status)
    answer = JsonResponse({"error": REFUSALS[status]}, status=status)
    if status == 401:
        answer["WWW-Authenticate"] = 'Bearer realm="sendit"'
    return answer


def _store(request: HttpRequest, forwarder: Forwarder, sender: str) -> HttpResponse:
    try:
        stored = store(request.headers.get("Content-Type", ""), request.read, forwarder)
    except BadRequest as error:
        return _refusal(error.status)
    except (ServiceDown, OSError):
        return JsonResponse({"error": "ListenerDown"}, status=503)
    finally:
        forwarder.close()
    events.log("stow.stored", peer=sender, images=len(stored.kept), failed=len(stored.failed))
    content = json.dumps([stored.dataset().to_json_dict()])
    return HttpResponse(content, status=stored.http_status, content_type=JSON)
