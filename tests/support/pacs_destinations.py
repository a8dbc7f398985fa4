"""Orthanc and dcmqrscp as destinations: what is sent to them, and what they have."""

from __future__ import annotations

import json
import os
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from sendit.adapters.dicom import settings as dicom
from sendit.adapters.dicom.store import DicomStore
from sendit.adapters.dicomweb import settings as dicomweb
from sendit.adapters.dicomweb.store import DicomwebStore
from tests.support.pacs import Dcmqrscp, Orthanc
from tests.support.servers import Server

ONE_WORKER = pytest.mark.xdist_group("pacs")


@dataclass
class Pacs:
    """A server, the URL under which it is a destination, and the adapter that speaks to it."""

    server: Server
    url: str
    store: Any

    def has(self, study: str) -> Counter[str]:
        """The SOP Instance UIDs of a study, asked by other means than the adapter's."""
        if isinstance(self.server, Orthanc):
            found = _ask(
                self.server.http,
                "/tools/find",
                {"Level": "Instance", "Query": {"StudyInstanceUID": study}, "Expand": True},
            )
            return Counter(str(one["MainDicomTags"]["SOPInstanceUID"]) for one in found)
        headers = [dcmread(path, stop_before_pixels=True) for path in _files(self.server.folder / "db")]
        return Counter(str(ds.SOPInstanceUID) for ds in headers if ds.StudyInstanceUID == study)

    def content(self, instance: str) -> bytes:
        """The pixels that it has of an image."""
        assert isinstance(self.server, Orthanc)
        (key,) = _ask(self.server.http, "/tools/find", {"Level": "Instance", "Query": {"SOPInstanceUID": instance}})
        url = f"http://127.0.0.1:{self.server.http}/instances/{key}/file"
        with urllib.request.urlopen(url, timeout=30) as answer:
            path = self.server.folder / "fetched.dcm"
            path.write_bytes(answer.read())
        return bytes(dcmread(path).PixelData)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(("index", "lock"))]


def _ask(port: int, way: str, question: object) -> Any:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{way}", json.dumps(question).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@pytest.fixture(scope="session")
def orthanc_server() -> Iterator[Orthanc]:
    """For the whole session."""
    server = Orthanc(1)
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def dcmqrscp_server() -> Iterator[Dcmqrscp]:
    """For the whole session."""
    os.environ.setdefault("TCP_NODELAY", "1")
    server = Dcmqrscp(1)
    server.start()
    yield server
    server.remove()


@pytest.fixture
def orthanc(orthanc_server: Orthanc) -> Pacs:
    """Orthanc by C-STORE."""
    return by_dicom(orthanc_server, "ORTHANC")


@pytest.fixture
def dcmqrscp(dcmqrscp_server: Dcmqrscp) -> Pacs:
    """dcmqrscp by C-STORE, over one association: of two, its processes may give two images one file name."""
    return by_dicom(dcmqrscp_server, "DCMQRSCP", "?associations=1")


@pytest.fixture
def orthanc_web(orthanc_server: Orthanc) -> Pacs:
    """Orthanc by STOW-RS."""
    url = f"dicomweb+http://127.0.0.1:{orthanc_server.http}/dicom-web"
    return Pacs(orthanc_server, url, DicomwebStore(dicomweb.parse(url, "SENDIT_STORE")))


def by_dicom(server: Server, called: str, options: str = "") -> Pacs:
    """A server by C-STORE."""
    url = f"dicom://{called}@127.0.0.1:{server.port}{options}"
    return Pacs(server, url, DicomStore(dicom.parse(url, "SENDIT_STORE")))
