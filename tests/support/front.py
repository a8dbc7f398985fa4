"""What stands between a client and an emulator: passes requests on, writes them down, and fails when it is told to.

    python -m tests.support.front HOST PORT UPSTREAM_PORT

A fault is told with `POST /front/faults`:
  match   what "METHOD path?query" must contain       skip    so many that match are let pass before
  times   how often                                   status  the answer's status, for `answer`
  then    "answer": that status, `headers` and `body`
          "hang": silence for `seconds`, then the connection ends
          "cut": half of the request is read, then the connection is reset
          "lose": the emulator does it, and the connection is reset in place of its answer
          "corrupt": a bit of the body is another when it is passed on
Where tokens are told (`POST /front/tokens`), a request without one of them is refused. `POST /token` gives the tokens
of a service account. `GET /front/requests` is what was written down, `POST /front/reset` forgets everything.
"""

from __future__ import annotations

import http.client
import json
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "date", "server"}
MOST_TEXT = 1 << 16
RESET_ON_CLOSE = struct.pack("ii", 1, 0)

FAULTS: list[dict[str, Any]] = []
REQUESTS: list[dict[str, Any]] = []
TOKENS: list[str] = []
LOCK = threading.Lock()


def fault_for(way: str) -> dict[str, Any] | None:
    """The first that matches and is not used up; that it is used is counted."""
    with LOCK:
        for fault in FAULTS:
            if fault["match"] in way and fault["times"] > 0:
                if fault.get("skip", 0) > 0:
                    fault["skip"] -= 1
                    continue
                fault["times"] -= 1
                return fault
    return None


class Handler(BaseHTTPRequestHandler):
    """One connection from a client, and one to the emulator."""

    protocol_version = "HTTP/1.1"
    upstream_port = 0

    def setup(self) -> None:
        """Nagle's algorithm would make every small answer wait."""
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._upstream = http.client.HTTPConnection("127.0.0.1", self.upstream_port)

    def finish(self) -> None:
        """Both connections end together."""
        self._upstream.close()
        super().finish()

    def handle_any(self) -> None:
        """A word to the front, or a request to pass on."""
        if self.path.startswith("/front/"):
            self._obey(self._body())
            return
        way = f"{self.command} {self.path}"
        fault = fault_for(way)
        if fault and fault["then"] == "cut":
            self.rfile.read(int(self.headers.get("Content-Length") or 0) // 2)
            self._write_down(way, b"", "cut")
            self._reset()
            return
        body = self._body()
        self._write_down(way, body, fault["then"] if fault else "")
        if fault and fault["then"] == "answer":
            self._answer(fault["status"], fault.get("body", {}), fault.get("headers", {}))
        elif fault and fault["then"] == "hang":
            time.sleep(fault["seconds"])
            self._reset()
        elif (
            TOKENS
            and self.path != "/token"
            and self.headers.get("Authorization") not in map("Bearer {}".format, TOKENS)
        ):
            self._answer(401, {"error": {"code": 401, "errors": [{"reason": "authError"}]}})
        elif self.path == "/token":
            self._answer(200, {"access_token": (TOKENS or ["any"])[0], "expires_in": 3600, "token_type": "Bearer"})
        elif fault and fault["then"] == "corrupt":
            self._pass_on(bytes([body[0] ^ 1]) + body[1:])
        else:
            self._pass_on(body, is_lost=bool(fault))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def _obey(self, body: bytes) -> None:
        word = self.path.removeprefix("/front/")
        told = json.loads(body) if body else None
        with LOCK:
            if word == "reset":
                FAULTS.clear(), REQUESTS.clear(), TOKENS.clear()
            elif word == "tokens":
                TOKENS[:] = told
            elif word == "faults" and self.command == "POST":
                FAULTS.extend(told)
            known = {"requests": list(REQUESTS), "faults": list(FAULTS)}.get(word, {})
        self._answer(200, known)

    def _write_down(self, way: str, body: bytes, fault: str) -> None:
        text = body.decode("utf-8", "replace") if len(body) < MOST_TEXT else ""
        with LOCK:
            headers = dict(self.headers.items())
            REQUESTS.append({"way": way, "headers": headers, "text": text, "bytes": len(body), "fault": fault})

    def _pass_on(self, body: bytes, is_lost: bool = False) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        self._upstream.request(self.command, self.path, body, {**headers, "Content-Length": str(len(body))})
        answer = self._upstream.getresponse()
        content = answer.read()
        if is_lost:
            self._reset()
            return
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP:
                self.send_header(name, value)
        self._end(content)

    def _answer(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self._end(json.dumps(content).encode())

    def _end(self, content: bytes) -> None:
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.close_connection = True

    def log_message(self, *about: Any) -> None:
        """Nobody reads it."""


def main(host: str, port: str, upstream_port: str) -> None:
    """Serve until killed."""
    Handler.upstream_port = int(upstream_port)
    listener = ThreadingHTTPServer((host, int(port)), Handler)
    listener.daemon_threads = True
    listener.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
