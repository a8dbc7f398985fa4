"""A Google Cloud Storage emulator: gcp-storage-emulator, with features of uploads that it lacks.

    python -m topology.gcs_emulator HOST PORT [BUCKET...]

Added are generation preconditions, which are checked when an upload starts and again when its object is created, and
resumable uploads that accept a chunk twice, ask for the rest of a chunk, and answer again after they are finished, as
Google documents. `GET /writes` tells how often each object was written.
"""

from __future__ import annotations

import re
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

from gcp_storage_emulator import server
from gcp_storage_emulator.exceptions import Conflict, NotFound
from gcp_storage_emulator.handlers import buckets, objects
from gcp_storage_emulator.storage import Storage

CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
RESUME_INCOMPLETE = objects.GoogleHTTPStatus.RESUME_INCOMPLETE
ONE_AT_A_TIME = threading.Lock()


@dataclass
class Session:
    """A resumable upload: the object's metadata, the precondition, the bytes so far, and the object when finished."""

    resource: dict[str, Any]
    generation: int | None
    content: bytearray = field(default_factory=bytearray)
    finished: dict[str, Any] | None = None


SESSIONS: dict[str, Session] = {}
WRITES: Counter[str] = Counter()
"""How often each object, named `bucket/name`, was written."""


def refuse(response: Any, status: HTTPStatus, reason: str, message: str) -> None:
    """Answer with an error in Cloud Storage's form."""
    response.status = status
    response.json(
        {"error": {"code": status.value, "message": message, "errors": [{"reason": reason, "message": message}]}}
    )


def wanted_generation(request: Any) -> int | None:
    """Return the request's `ifGenerationMatch`, or None."""
    return int(request.query["ifGenerationMatch"][0]) if "ifGenerationMatch" in request.query else None


def is_met(storage: Storage, bucket: str, name: str, generation: int | None) -> bool:
    """Return whether the object has the wanted generation; a missing object has generation 0."""
    try:
        found = int(storage.get_file_obj(bucket, name)["generation"])
    except NotFound:
        found = 0
    return generation is None or generation == found


def insert(request: Any, response: Any, storage: Storage, *about: Any) -> None:
    """Start a resumable upload, or store an object that is sent at once."""
    body = request.data
    bucket, generation = request.params["bucket_name"], wanted_generation(request)
    name = request.query.get("name", [None])[0] or (body.get("meta", body) if isinstance(body, dict) else {})["name"]
    if storage.get_bucket(bucket) is None:
        refuse(response, HTTPStatus.NOT_FOUND, "notFound", "The specified bucket does not exist.")
    elif not is_met(storage, bucket, name, generation):
        refuse(response, HTTPStatus.PRECONDITION_FAILED, "conditionNotMet", "A precondition did not hold.")
    else:
        objects.insert(request, response, storage, *about)
        if "Location" in response._headers:
            (upload,) = parse_qs(urlparse(response["Location"]).query)["upload_id"]
            SESSIONS[upload] = Session(storage.get_resumable_file_obj(upload), generation)


def take_chunk(request: Any, response: Any, storage: Storage, *about: Any) -> None:
    """Take one chunk of a resumable upload, or say how much of it has arrived."""
    content = request.data or b""
    session = SESSIONS.get(request.query["upload_id"][0])
    said = CONTENT_RANGE.fullmatch(request.get_header("Content-Range", ""))
    if session is None or said is None:
        refuse(response, HTTPStatus.NOT_FOUND if said else HTTPStatus.BAD_REQUEST, "notFound", "No such session.")
    elif session.finished:
        response.json(session.finished)
    else:
        first, _, total = said.groups()
        offset = int(first) if first else len(session.content)
        if offset > len(session.content):
            refuse(response, HTTPStatus.BAD_REQUEST, "invalid", "Bytes are missing before these.")
            return
        session.content += content[len(session.content) - offset :]
        if total != "*" and len(session.content) == int(total):
            finish(session, response, storage)
        else:
            response.status = RESUME_INCOMPLETE
            if session.content:
                response["Range"] = f"bytes=0-{len(session.content) - 1}"


def finish(session: Session, response: Any, storage: Storage) -> None:
    """The object comes to be, if its condition still holds and its bytes are those that were announced."""
    resource, content = session.resource, bytes(session.content)
    if not is_met(storage, resource["bucket"], resource["name"], session.generation):
        refuse(response, HTTPStatus.PRECONDITION_FAILED, "conditionNotMet", "A precondition did not hold.")
        return
    try:
        resource = objects._checksums(content, resource)
    except Conflict as error:
        refuse(response, HTTPStatus.BAD_REQUEST, "invalid", str(error))
        return
    resource["size"] = str(len(content))
    resource["metageneration"] = "1"
    storage.create_file(resource["bucket"], resource["name"], content, resource)
    WRITES[f"{resource['bucket']}/{resource['name']}"] += 1
    session.content.clear()
    session.finished = resource
    response.json(resource)


def alone(handler: Callable[..., None]) -> Callable[..., None]:
    """Make a handler run one request at a time, after the request's body has arrived."""

    def handle(request: Any, response: Any, *about: Any) -> None:
        if request.method in ("POST", "PUT", "PATCH"):
            _ = request.data
        with ONE_AT_A_TIME:
            handler(request, response, *about)

    return handle


def tell_writes(request: Any, response: Any, storage: Storage, *about: Any) -> None:
    """Answer `GET /writes`."""
    response.json(WRITES)


REPLACED = {objects.insert: insert, objects.upload_partial: take_chunk}
stricter = (
    (path, {method: alone(REPLACED.get(handler, handler)) for method, handler in handlers.items()})
    for path, handlers in server.HANDLERS
)
server.HANDLERS = ((r"^/writes$", {"GET": tell_writes}), *stricter)


class Handler(server.RequestHandler):
    """A request handler that keeps connections open and writes no log."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *about: Any) -> None:
        """Write nothing."""


def main(host: str, port: str, *names: str) -> None:
    """Serve until killed, with these buckets from the start; everything is in memory."""
    storage = Storage(use_memory_fs=True, data_dir="/nowhere")
    storage._write_config_to_file = lambda: None
    for name in names:
        buckets.create_bucket(name, storage)
    listener = ThreadingHTTPServer((host, int(port)), partial(Handler, storage))
    listener.daemon_threads = True
    listener.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
