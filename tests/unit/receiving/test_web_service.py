"""Answers of a DICOMweb service that a real one gives rarely: refusals, nonsense, and bodies that break off."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sendit.errors import Misconfigured, ServiceDown, ServiceRefused
from sendit.receiving.dicomweb.forwarding import Forwarder
from sendit.receiving.peers import Peer, Peers, WebService
from sendit.receiving.retrieving.source import Match, Transfer
from sendit.receiving.retrieving.web_service import WebPacs

STUDY = "1.2.3"
SECRET = "CANARY77"
MULTIPART = 'multipart/related; type="application/dicom"; boundary=b'


class Service:
    """Answers each path with a status, a media type and a body, and keeps the requests."""

    def __init__(self, answers: dict[str, tuple[int, str, bytes]]) -> None:
        self.answers, self.requests = answers, list[tuple[str, dict[str, str]]]()

    @contextmanager
    def serving(self) -> Iterator[str]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.requests.append((self.path, dict(self.headers)))
                status, kind, body = service.answers.get(self.path.partition("?")[0], (404, "text/plain", b""))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def pacs(url: str, token_file: Path | None = None) -> WebPacs:
    peer = Peer("pacs", "SENDIT", "PACS", (), Path("/data"))
    forwarder = Forwarder(Path("/nowhere/listener.sock"), Peers((peer,)), peer)
    return WebPacs(WebService(url, token_file), forwarder, ssl.create_default_context())


def study(**more: object) -> bytes:
    return json.dumps([{"0020000D": {"vr": "UI", "Value": [STUDY]}, **more}]).encode()


@pytest.mark.parametrize(
    ("status", "body", "raised"),
    [
        (500, b"", ServiceDown),
        (503, b"", ServiceDown),
        (429, b"", ServiceDown),
        (401, b"", ServiceRefused),
        (302, b"", ServiceRefused),
        (404, b"", ServiceRefused),
        (200, b"<html>sign in</html>", ServiceRefused),
    ],
)
def test_refusals_are_told_from_what_may_pass(
    status: int, body: bytes, raised: type[Exception], capfd: pytest.CaptureFixture[str]
) -> None:
    service = Service({"/studies": (status, "application/dicom+json", body)})
    with service.serving() as url, pytest.raises(raised) as error:
        pacs(url).find({"AccessionNumber": SECRET})
    assert SECRET not in str(error.value) and error.value.__cause__ is None
    assert SECRET not in "".join(capfd.readouterr())


@pytest.mark.parametrize("body", [b"{}", b"[]", b"[1]", b'[{"0020000D": 5}]', b'[{"0020000D": {"Value": []}}]'])
def test_an_answer_without_a_study_matches_nothing(body: bytes) -> None:
    with Service({"/studies": (200, "application/dicom+json", body)}).serving() as url:
        assert pacs(url).find({"AccessionNumber": "A"}) == []


def test_what_a_service_does_not_count_is_counted() -> None:
    answers = {
        "/studies": (200, "application/dicom+json", study()),
        f"/studies/{STUDY}/instances": (200, "application/dicom+json", json.dumps([{}, {}, {}]).encode()),
    }
    with Service(answers).serving() as url:
        assert pacs(url).find({"AccessionNumber": "A"}) == [Match(STUDY, 3)]


def test_a_token_is_shown_and_read_again_each_time(tmp_path: Path) -> None:
    token = tmp_path / "token"
    service = Service({"/studies": (200, "application/dicom+json", b"[]")})
    with service.serving() as url:
        asking = pacs(url, token)
        with pytest.raises(Misconfigured):
            asking.find({"AccessionNumber": "A"})
        for value in ("one", "two"):
            token.write_text(f"{value}\n")
            asking.find({"AccessionNumber": "A"})
    assert [headers["Authorization"] for _, headers in service.requests] == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize(
    ("kind", "body", "raised"),
    [
        (MULTIPART, b"--b\r\nContent-Type: application/dicom\r\n\r\nhalf", ServiceDown),
        (MULTIPART, b"", ServiceDown),
        ("text/html", b"sign in", ServiceRefused),
        ('multipart/related; type="application/octet-stream"; boundary=b', b"--b--", ServiceRefused),
    ],
)
def test_a_body_that_breaks_off_may_come_whole_next_time(kind: str, body: bytes, raised: type[Exception]) -> None:
    with Service({f"/studies/{STUDY}": (200, kind, body)}).serving() as url, pytest.raises(raised):
        pacs(url).bring(STUDY)


def test_a_part_that_is_no_image_has_failed() -> None:
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\nnothing\r\n--b--"
    with Service({f"/studies/{STUDY}": (200, MULTIPART, body)}).serving() as url:
        assert pacs(url).bring(STUDY) == Transfer(0, 1)
