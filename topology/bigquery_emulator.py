"""A BigQuery emulator: bqemulator, in which each job id can be used only once.

    python -m topology.bigquery_emulator HOST PORT

bqemulator runs a job inside the request that starts it, accepts an id again, and gives an uploaded load an id of its
own. This module refuses a second job of an id as BigQuery does, gives a load the id that was asked for, and shows a job
that still runs as running. `GET /jobs-run` tells when each job ran. A table cannot be created without its data set, and
an ALTER TABLE may add several columns. DuckDB's extensions, which it would download, are left out.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qs

from bqemulator import server
from bqemulator.api.routes import upload
from bqemulator.cli import main
from bqemulator.storage.engine import DuckDBEngine

JOB: ContextVar[str] = ContextVar("job")
"""The id that was asked for, for the load that is running."""
upload._new_job_id = JOB.get
DuckDBEngine._load_spatial = DuckDBEngine._load_format_extensions = lambda self: None

NEW_TABLE = re.compile(r"/bigquery/v2/projects/([^/]+)/datasets/([^/]+)/tables")
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Stricter:
    """An ASGI application around bqemulator's; it names a job by the URL path of the job."""

    def __init__(self, app: Any, catalog: Any) -> None:
        self._app, self._catalog = app, catalog
        self._jobs: dict[str, dict[str, Any]] = {}
        self._uploads: dict[str, str] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle requests that start a job or ask for one, and pass others on."""
        way = (scope.get("method"), scope.get("path", ""))
        if way[0] == "GET" and way[1] == "/jobs-run":
            await answer(send, 200, list(self._jobs.values()))
        elif way[0] == "POST" and way[1].endswith("/jobs") and not way[1].startswith("/upload"):
            await self._insert(scope, receive, send)
        elif way[1].startswith("/upload/") and way[0] in ("POST", "PUT"):
            await self._upload(scope, receive, send)
        elif (
            (place := NEW_TABLE.fullmatch(way[1]))
            and way[0] == "POST"
            and not self._catalog.get_dataset(*place.groups())
        ):
            await refuse(send, 404, "notFound", "Not found: Dataset")
        elif way[0] == "GET" and self._is_running(way[1]):
            await answer(send, 200, running(way[1]))
        else:
            await self._app(scope, receive, send)

    async def _insert(self, scope: Message, receive: Receive, send: Send) -> None:
        body = await whole(receive)
        said = json.loads(body)
        job = said.get("jobReference", {}).get("jobId")
        if job is None or said["configuration"].get("dryRun"):
            await self._app(scope, again(body), send)
        else:
            await self._once(f"{scope['path']}/{job}", scope, body, send)

    async def _upload(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle an upload: its first request names the load's job, its last one runs it."""
        body, query = await whole(receive), parse_qs(scope["query_string"].decode())
        job = self._uploads.get(query.get("upload_id", [""])[0])
        if job is None:
            job = f"{scope['path'].removeprefix('/upload')}/{json.loads(body)['jobReference']['jobId']}"
            if job in self._jobs:
                await refuse(send, 409, "duplicate", f"Already Exists: Job {job}")
                return

            async def remember(message: Message) -> None:
                for name, value in message.get("headers", []):
                    if name.lower() == b"location":
                        self._uploads[parse_qs(value.decode().partition("?")[2])["upload_id"][0]] = job
                await send(message)

            await self._app(scope, again(body), remember)
        else:
            await self._once(job, scope, body, send)

    async def _once(self, job: str, scope: Message, body: bytes, send: Send) -> None:
        if job in self._jobs:
            await refuse(send, 409, "duplicate", f"Already Exists: Job {job}")
            return
        JOB.set(job.rpartition("/")[2])
        run = self._jobs[job] = {"job": job, "began": time.time(), "ended": None}
        try:
            *first, last = statements(body)
            for statement in first:
                await self._app(scope, again(statement), nowhere)
            await self._app(scope, again(last), send)
        finally:
            run["ended"] = time.time()

    def _is_running(self, path: str) -> bool:
        job = self._jobs.get(path)
        return job is not None and job["ended"] is None


async def whole(receive: Receive) -> bytes:
    """Read a request's whole body."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def again(body: bytes) -> Receive:
    """Return a `receive` that gives a body again which was read already."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def statements(body: bytes) -> list[bytes]:
    """Split a query that adds several columns into queries that add one each, for DuckDB."""
    if b"ALTER TABLE" not in body:
        return [body]
    said = json.loads(body)
    alter, *additions = re.split(r",? (?=ADD COLUMN )", said["configuration"]["query"]["query"])
    return [
        json.dumps(said | {"configuration": {"query": {"query": f"{alter} {one}", "useLegacySql": False}}}).encode()
        for one in additions
    ]


async def nowhere(message: Message) -> None:
    """Discard an answer."""


async def answer(send: Send, status: int, content: object) -> None:
    """Send an answer as JSON."""
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})


async def refuse(send: Send, status: int, reason: str, message: str) -> None:
    """Send an error in BigQuery's form."""
    errors = [{"reason": reason, "message": message}]
    await answer(send, status, {"error": {"code": status, "message": message, "errors": errors}})


def running(path: str) -> Message:
    """Return the resource of a job that still runs."""
    project, _, job = path.removeprefix("/bigquery/v2/projects/").partition("/jobs/")
    return {
        "kind": "bigquery#job",
        "jobReference": {"projectId": project, "jobId": job, "location": "US"},
        "configuration": {"query": {"query": ""}, "jobType": "QUERY"},
        "status": {"state": "RUNNING"},
        "statistics": {},
    }


if __name__ == "__main__":
    create_app = server.create_app
    server.create_app = lambda context: Stricter(create_app(context), context.catalog)
    host, port = sys.argv[1:]
    main(["start", "--rest-host", host, "--rest-port", port, "--grpc-port", "0", "--ephemeral", "--log-level", "error"])
