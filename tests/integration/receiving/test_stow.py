"""STOW-RS: images over HTTP land as those of the DICOM network do."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client, override_settings
from pydicom import dcmread

from sendit.receiving.dicomweb.multipart import BadMultipart, Body
from tests.support.dicom_network import PEERS, Receiving, receiving_on
from tests.support.phantoms import accession_number, bundled, make_study
from tests.support.site import Site

TOKEN = "a token of forty letters and digits, or so"
BOUNDARY = "a-boundary"


@pytest.fixture
def receiving(site: Site) -> Iterator[Receiving]:
    with receiving_on(site) as receiving:
        receiving.restart(PEERS + f'token_sha256 = "{hashlib.sha256(TOKEN.encode()).hexdigest()}"\n')
        yield receiving


@pytest.fixture
def web() -> Iterator[Client]:
    from sendit.web import settings

    names = ("ROOT_URLCONF", "MIDDLEWARE", "TEMPLATES", "AUTHENTICATION_BACKENDS", "CSRF_FAILURE_VIEW")
    with override_settings(**{name: getattr(settings, name) for name in names}):
        yield Client(raise_request_exception=False, enforce_csrf_checks=True)


def body(*parts: bytes, kind: str = "application/dicom") -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Type: {kind}\r\n\r\n".encode()
    return b"".join(head + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--".encode()


def post(web: Client, content: bytes, *, token: str = TOKEN, kind: str = "application/dicom", **headers: str):  # type: ignore[no-untyped-def]
    content_type = f'multipart/related; type="{kind}"; boundary={BOUNDARY}'
    sent = {"Authorization": f"Bearer {token}", "Accept": "application/dicom+json", "Host": "localhost"} | headers
    return web.post("/dicomweb/studies", content, content_type=content_type, headers=sent)


def uids(answer: list[dict], tag: str) -> list[str]:
    return [item["00081155"]["Value"][0] for item in answer[0].get(tag, {}).get("Value", [])]


def test_images_of_a_request_land_and_are_named_in_the_answer(
    receiving: Receiving, web: Client, tmp_path: Path
) -> None:
    paths = make_study(tmp_path / "out", number=1, images=3)
    answer = post(web, body(*(path.read_bytes() for path in paths)))
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/dicom+json")
    assert uids(answer.json(), "00081199") == [str(dcmread(path).SOPInstanceUID) for path in paths]
    (folder,) = receiving.wait_for_folders(1)
    assert folder == accession_number(1)
    landed = {path.read_bytes().partition(b"\x08\x00\x05\x00")[2] for path in receiving.images(folder)}
    assert landed == {path.read_bytes().partition(b"\x08\x00\x05\x00")[2] for path in paths}


def test_images_of_several_kinds_come_in_one_request(receiving: Receiving, web: Client) -> None:
    names = ("MR_small_RLE.dcm", "JPEG2000.dcm", "image_dfl.dcm", "reportsi.dcm")
    answer = post(web, body(*(bundled(name).read_bytes() for name in names)))
    assert answer.status_code == 200, answer.content
    assert len(uids(answer.json(), "00081199")) == 4


def test_what_cannot_be_stored_is_named_as_failed(receiving: Receiving, web: Client, tmp_path: Path) -> None:
    (path,) = make_study(tmp_path / "out", number=1, images=1)
    answer = post(web, body(path.read_bytes(), b"no image", path.read_bytes()[:100]))
    assert answer.status_code == 202
    failed = answer.json()[0]["00081198"]["Value"]
    assert [item["00081197"]["Value"][0] for item in failed] == [0xC000, 0xC000]
    assert post(web, body(b"no image")).status_code == 409


def test_a_full_disk_is_said(receiving: Receiving, web: Client, tmp_path: Path) -> None:
    receiving.stop()
    receiving.site.set(LISTENER_MIN_FREE_MB=10**12)
    receiving.start()
    (path,) = make_study(tmp_path / "out", number=1, images=1)
    answer = post(web, body(path.read_bytes()))
    assert answer.status_code == 503
    assert answer.json()[0]["00081198"]["Value"][0]["00081197"]["Value"] == [0xA700]


def test_without_a_token_nothing_is_stored(receiving: Receiving, web: Client, tmp_path: Path) -> None:
    (path,) = make_study(tmp_path / "out", number=1, images=1)
    for token in ("", "another", TOKEN + "x"):
        answer = post(web, body(path.read_bytes()), token=token)
        assert answer.status_code == 401 and answer["WWW-Authenticate"].startswith("Bearer")
    assert receiving.folders() == receiving.unfinished() == []


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"--a-boundary\r\n\r\n", {}, 400),
        (b"--other--", {}, 400),
        (body(b"x", kind="text/plain"), {}, 415),
        (body(b"x"), {"Accept": "application/dicom+xml"}, 406),
    ],
)
def test_what_is_no_request_is_refused(
    receiving: Receiving, web: Client, content: bytes, headers: dict[str, str], status: int
) -> None:
    assert post(web, content, **headers).status_code == status


def test_another_media_type_is_refused(receiving: Receiving, web: Client) -> None:
    assert post(web, body(b"{}"), kind="application/dicom+json").status_code == 415
    answer = web.post(
        "/dicomweb/studies",
        b"x",
        content_type="image/png",
        headers={"Authorization": f"Bearer {TOKEN}", "Host": "localhost"},
    )
    assert answer.status_code == 415


def test_a_request_that_breaks_off_leaves_no_part_of_an_image(
    receiving: Receiving, web: Client, tmp_path: Path
) -> None:
    (path,) = make_study(tmp_path / "out", number=1, images=1)
    whole = body(path.read_bytes())
    assert post(web, whole[: len(whole) // 2]).status_code == 400
    assert receiving.folders() == receiving.unfinished() == []


def test_without_a_listener_it_is_said(receiving: Receiving, web: Client, tmp_path: Path) -> None:
    receiving.stop()
    (path,) = make_study(tmp_path / "out", number=1, images=1)
    answer = post(web, body(path.read_bytes()))
    assert (answer.status_code, answer.json()) == (503, {"error": "ListenerDown"})


def test_the_local_socket_is_its_owners(receiving: Receiving) -> None:
    assert os.stat(receiving.site.var / "listener.sock").st_mode & 0o777 == 0o600


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 1000])
def test_parts_are_found_wherever_the_stream_is_cut(step: int) -> None:
    parts = [b"\r\n--a-bound", b"", b"\r\n" * 50, os.urandom(500) + b"\r\n--"]
    stream = b"preamble" + b"\r\n" + body(*parts)
    position = 0

    def read(size: int) -> bytes:
        nonlocal position
        piece = stream[position : position + min(size, step)]
        position += len(piece)
        return piece

    found = [(header["content-type"], b"".join(pieces)) for header, pieces in Body(read, BOUNDARY).parts()]
    assert found == [("application/dicom", part) for part in parts]


def test_a_body_without_its_end_is_no_body() -> None:
    pieces = iter([body(b"x")[:-2]])
    with pytest.raises(BadMultipart):
        for _, part in Body(lambda size: next(pieces, b""), BOUNDARY).parts():
            list(part)
