"""PACS as destinations, on Orthanc and dcmqrscp: every image is there, once, through kills, refusals and lies."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pydicom import dcmread
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, StudyRootQueryRetrieveInformationModelFind, Verification

from sendit.adapters.archived_images import Confirmed, images_of
from sendit.adapters.dicom import store as dicom_store
from sendit.adapters.dicom.checks import ensure_usable as ensure_peer_usable
from sendit.adapters.dicom.settings import parse as parse_dicom
from sendit.adapters.dicom.store import DicomStore
from sendit.adapters.dicomweb import store as web_store
from sendit.adapters.dicomweb.checks import ensure_usable as ensure_service_usable
from sendit.adapters.dicomweb.settings import parse as parse_web
from sendit.adapters.dicomweb.store import DicomwebStore
from sendit.errors import Misconfigured, SenditError, ServiceDown, ServiceRefused
from sendit.pipeline.record.models import Batch
from tests.support.archives import Archive, make_archive
from tests.support.pacs_destinations import ONE_WORKER, Pacs, by_dicom
from tests.support.processes import killed_after, seconds_of
from tests.support.shell import run
from tests.support.site import Site
from topology.servers import free_ports

pytestmark = ONE_WORKER
NAME = "Collection/IRB1/Entity/p/p_20100209_s.tar.gz"
EACH = ["orthanc", "dcmqrscp", "orthanc_web"]


class Stopped(Exception):
    """What a worker that is asked to stop raises."""


NUMBERS = iter(range(1000, 10_000))


@pytest.fixture(params=EACH)
def pacs(request: pytest.FixtureRequest) -> Pacs:
    found: Pacs = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """One that no PACS has met."""
    return make_archive(tmp_path, images=7, number=next(NUMBERS))


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(SenditError) as caught:
        work()
    return caught.value.code


# ---------------------------------------------------------------------------------------------- what holds


def test_every_image_is_there_once_and_the_answer_says_where(pacs: Pacs, archive: Archive) -> None:
    stored = pacs.store.put(NAME, archive.path, {})
    assert pacs.has(archive.study) == Counter(archive.instances)
    assert stored.uri.endswith(archive.study) and stored.size_bytes == archive.path.stat().st_size
    assert pacs.store.put(NAME, archive.path, {}) == stored
    assert pacs.has(archive.study) == Counter(archive.instances)


def test_the_pixels_are_those_of_the_archive(orthanc: Pacs, orthanc_web: Pacs, tmp_path: Path) -> None:
    for number, pacs in enumerate((orthanc, orthanc_web)):
        archive = make_archive(tmp_path, 2, next(NUMBERS), base=("MR_small.dcm", "JPEG2000.dcm")[number])
        pacs.store.put(NAME, archive.path, {})
        files = sorted((tmp_path).rglob("study*/*"))
        ours = {str(ds.SOPInstanceUID): bytes(ds.PixelData) for ds in map(dcmread, files)}
        for instance in archive.instances:
            assert pacs.content(instance) == ours[instance]


def test_an_image_that_it_has_already_is_no_error(pacs: Pacs, archive: Archive, tmp_path: Path) -> None:
    pacs.store.put(NAME, archive.path, {})
    (again := tmp_path / "again").mkdir()
    moved = archive.path.rename(again / archive.path.name)  # where nobody remembers that it was sent
    pacs.store.put(NAME, moved, {})
    assert pacs.has(archive.study) == Counter(archive.instances)


def test_what_was_stopped_goes_on_with_the_next_image(
    pacs: Pacs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = make_archive(tmp_path, images=30, number=next(NUMBERS))
    monkeypatch.setattr(web_store, "AT_ONCE", 4)
    calls = iter(range(1, 1000))

    def stop() -> None:
        if next(calls) == (5 if pacs.url.startswith("dicomweb") else 20):
            raise Stopped

    with pytest.raises(Stopped):
        pacs.store.put(NAME, archive.path, {}, stop)
    [kept] = archive.path.parent.glob(".*.sent")
    before = len(kept.read_text().splitlines())
    assert 0 < before < 30
    sent: list[str] = []
    confirm = Confirmed.add

    def counting(self: Confirmed, *uids: str) -> None:
        sent.extend(uids)
        confirm(self, *uids)

    monkeypatch.setattr(Confirmed, "add", counting)
    pacs.store.put(NAME, archive.path, {})
    assert len(sent) == 30 - before and pacs.has(archive.study) == Counter(archive.instances)
    assert not list(archive.path.parent.glob(".images-*"))


def test_kills_at_random_moments_lose_and_double_nothing(
    pacs: Pacs, tmp_path: Path, destination_kills: int, record_property: Any
) -> None:
    chance, killed = random.Random(destination_kills), 0
    first = make_archive(tmp_path, images=12, number=next(NUMBERS))
    seconds = seconds_of(partial(pacs.store.put, NAME, first.path, {}))
    for number in range(destination_kills + 40):
        if number >= destination_kills and killed:  # else each put had ended before its kill
            break
        archive = make_archive(tmp_path, images=12, number=next(NUMBERS))
        killed += killed_after(chance.uniform(0.05, 0.9) * seconds, partial(pacs.store.put, NAME, archive.path, {}))
        pacs.store.put(NAME, archive.path, {})
        assert pacs.has(archive.study) == Counter(archive.instances)
    record_property("killed", killed)
    assert killed


def test_it_removes_nothing_and_says_so(pacs: Pacs) -> None:
    assert code_of(lambda: pacs.store.remove(NAME)) == "NotRemovable"


def test_what_is_no_image_is_no_archive_for_it(pacs: Pacs, tmp_path: Path) -> None:
    import tarfile

    (tmp_path / "note.txt").write_text("no image")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "note.txt", "note.txt")
    assert code_of(lambda: pacs.store.put(NAME, tmp_path / "a.tar.gz", {})) == "NotAnImage"


def test_a_line_that_a_kill_cut_short_confirms_nothing(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    Confirmed(archive, "dicom://X@h:1").add("1.2.3", "1.2.45")
    [kept] = tmp_path.glob(".*.sent")
    kept.write_bytes(kept.read_bytes()[:-2])
    again = Confirmed(archive, "dicom://X@h:1")
    assert "1.2.3" in again and "1.2.4" not in again
    again.add("1.2.6")
    last = Confirmed(archive, "dicom://X@h:1")
    assert "1.2.6" in last and "1.2.4" not in last and "1.2.6" not in Confirmed(archive, "dicom://Y@h:1")


def test_an_image_is_known_though_a_long_element_stands_before_its_uids(tmp_path: Path) -> None:
    archive = make_archive(tmp_path, 1, next(NUMBERS))
    [file] = (tmp_path).rglob("study*/*")
    ds = dcmread(file)
    ds.add_new(0x00091001, "OB", b"x" * 300_000)
    ds.save_as(file)
    import tarfile

    with tarfile.open(archive.path, "w:gz") as tar:
        tar.add(file, "one.dcm")
    [image] = images_of(archive.path)
    assert {image.sop_instance} == archive.instances and image.study == archive.study


# ---------------------------------------------------------------------------------------------- what fails


def test_one_that_is_away_may_come_back(dcmqrscp: Pacs, archive: Archive) -> None:
    dcmqrscp.server.end()
    assert code_of(lambda: dcmqrscp.store.put(NAME, archive.path, {})) == "PacsDown"
    dcmqrscp.server.start()
    dcmqrscp.store.put(NAME, archive.path, {})
    assert dcmqrscp.has(archive.study) == Counter(archive.instances)


def test_a_service_that_is_away_may_come_back(archive: Archive) -> None:
    (port,) = free_ports(1)
    store = DicomwebStore(parse_web(f"dicomweb+http://127.0.0.1:{port}/dicom-web", "X"))
    assert code_of(lambda: store.put(NAME, archive.path, {})) == "PacsDown"


def test_one_that_does_not_know_the_title_refuses(dcmqrscp: Pacs, archive: Archive) -> None:
    other = by_dicom(dcmqrscp.server, "NOBODY")
    assert code_of(lambda: other.store.put(NAME, archive.path, {})) == "PacsRefused"
    assert code_of(lambda: ensure_peer_usable(parse_dicom(other.url, "X"))) == "PacsRefused"


def test_the_check_asks_it(pacs: Pacs) -> None:
    if pacs.url.startswith("dicom:"):
        ensure_peer_usable(parse_dicom(pacs.url, "X"))
    else:
        ensure_service_usable(parse_web(pacs.url, "X"))


class Peer:
    """An application entity that answers as it is told."""

    def __init__(self, status: int = 0x0000, finds: bool = False, syntaxes: Any = None) -> None:
        self.port, self.status, self.finds = free_ports(1)[0], status, finds
        self.seen: list[str] = []
        entity = AE("PEER")
        entity.add_supported_context(CTImageStorage, syntaxes)
        entity.add_supported_context(Verification)
        entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
        handlers = [(evt.EVT_C_STORE, self.store), (evt.EVT_C_FIND, self.find)]
        self.server = entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        self.adapter = DicomStore(parse_dicom(f"dicom://PEER@127.0.0.1:{self.port}", "X"))

    def store(self, event: Any) -> int:
        self.seen.append(str(event.request.AffectedSOPInstanceUID))
        return self.status

    def find(self, event: Any) -> Iterator[Any]:
        for uid in self.seen if self.finds else ():
            ds = event.identifier
            ds.SOPInstanceUID = uid
            yield 0xFF00, ds


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    made: list[Peer] = []

    def make(**terms: Any) -> Peer:
        made.append(Peer(**terms))
        return made[-1]

    yield make
    for one in made:
        one.server.shutdown()


@pytest.mark.parametrize(
    ("status", "code"),
    [(0xA700, "PacsDown"), (0xA900, "PacsRefused"), (0xC000, "PacsRefused"), (0x0122, "PacsRefused")],
)
def test_a_status_that_is_a_failure_is_told(
    peer: Callable[..., Peer], archive: Archive, status: int, code: str
) -> None:
    assert code_of(lambda: peer(status=status).adapter.put(NAME, archive.path, {})) == code


@pytest.mark.parametrize("status", [0x0111, 0xB000, 0xB006, 0xB007])
def test_a_duplicate_or_a_warning_is_none(peer: Callable[..., Peer], archive: Archive, status: int) -> None:
    stored = peer(status=status, finds=True).adapter.put(NAME, archive.path, {})
    assert stored.uri.endswith(archive.study)


def test_one_that_confirms_and_keeps_nothing_is_found_out(
    peer: Callable[..., Peer], archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dicom_store, "SEEN_SECONDS", 0.2)
    liar = peer()
    for _ in range(2):
        assert code_of(lambda: liar.adapter.put(NAME, archive.path, {})) == "NotVerified"
    assert len(liar.seen) == 2 * len(archive.instances), "all are sent again"


def test_a_transfer_syntax_that_it_does_not_take_is_told(peer: Callable[..., Peer], archive: Archive) -> None:
    mean = peer(syntaxes=["1.2.840.10008.1.2.4.70"])
    with pytest.raises(ServiceRefused, match=r"transfer syntax 1\.2\.840\.10008\.1\.2") as caught:
        mean.adapter.put(NAME, archive.path, {})
    assert not any(instance in str(caught.value) for instance in archive.instances)


class Service:
    """A DICOMweb service that answers as it is told."""

    def __init__(self, status: int, failed: int | None = None, finds: bool = False) -> None:
        service = self
        self.authorizations: list[str | None] = []
        self.stored: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.authorizations.append(self.headers["Authorization"])
                uids = [one.decode() for one in re.findall(rb"\x08\x00\x18\x00UI..([0-9.]+)", body)]
                service.stored += [] if failed and failed != 0x0111 else uids
                items = [
                    {"00081155": {"vr": "UI", "Value": [uid]}, "00081197": {"vr": "US", "Value": [failed]}}
                    for uid in uids
                ]
                self.say({"00081198": {"vr": "SQ", "Value": items}} if failed else {})

            def do_GET(self) -> None:
                found = [{"00080018": {"vr": "UI", "Value": [uid]}} for uid in service.stored if finds]
                self.say(found)

            def say(self, content: object) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"dicomweb+http://127.0.0.1:{self.server.server_address[1]}/dw"

    def adapter(self, options: str = "") -> DicomwebStore:
        return DicomwebStore(parse_web(self.url + options, "SENDIT_STORE"))


@pytest.fixture
def service() -> Iterator[Callable[..., Service]]:
    made: list[Service] = []

    def make(*terms: Any, **options: Any) -> Service:
        made.append(Service(*terms, **options))
        return made[-1]

    yield make
    for one in made:
        one.server.shutdown()
        one.server.server_close()


@pytest.mark.parametrize(
    ("status", "failed", "code"),
    [
        (401, None, "CredentialsRefused"),
        (403, None, "AccessDenied"),
        (400, None, "PacsRefused"),
        (415, None, "PacsRefused"),
        (409, None, "PacsRefused"),
        (409, 0xA900, "PacsRefused"),
        (202, 0x0122, "PacsRefused"),
        (202, 0xA700, "PacsDown"),
        (429, None, "PacsDown"),
        (503, None, "PacsDown"),
        (507, None, "PacsDown"),
    ],
)
def test_an_answer_that_is_a_failure_is_told(
    service: Callable[..., Service], archive: Archive, status: int, failed: int | None, code: str
) -> None:
    assert code_of(lambda: service(status, failed).adapter().put(NAME, archive.path, {})) == code


def test_a_duplicate_is_no_failure_for_a_service(service: Callable[..., Service], archive: Archive) -> None:
    assert service(200, 0x0111, finds=True).adapter().put(NAME, archive.path, {}).uri.endswith(archive.study)


def test_a_service_that_keeps_nothing_is_found_out(
    service: Callable[..., Service], archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_store, "SEEN_SECONDS", 0.2)
    assert code_of(lambda: service(200).adapter().put(NAME, archive.path, {})) == "NotVerified"


def test_a_token_goes_with_each_request_and_a_missing_one_is_told(
    service: Callable[..., Service], archive: Archive, tmp_path: Path
) -> None:
    (token := tmp_path / "token").write_text("abc.def\n")
    one = service(200, finds=True)
    one.adapter(f"?token_file={token}").put(NAME, archive.path, {})
    assert set(one.authorizations) == {"Bearer abc.def"}
    with pytest.raises(Misconfigured, match="token_file") as caught:
        one.adapter(f"?token_file={tmp_path / 'none'}").put(NAME, archive.path, {})
    assert str(tmp_path) not in str(caught.value)


# ---------------------------------------------------------------------------------------------- through the pipeline


def test_a_study_goes_to_a_folder_and_to_each_pacs(
    site: Site, orthanc: Pacs, orthanc_web: Pacs, dcmqrscp: Pacs
) -> None:
    each = [orthanc, dcmqrscp, orthanc_web]
    site.set(STORE=" ".join(["folder", *(pacs.url for pacs in each)]))
    site.study(next(NUMBERS), images=3)
    site.process()
    (batch,) = site.deliver()
    assert batch.state == "DONE", batch.errors
    rows = site.ports.warehouse.query("SELECT StudyInstanceUID, SOPInstanceUID FROM instance").rows
    for pacs in each:
        assert pacs.has(str(rows[0][0])) == Counter(str(row[1]) for row in rows)
    uris = {row.destination: row.uri for row in batch.deliveries.all()}
    assert uris[orthanc.url] == f"{orthanc.url}/{rows[0][0]}" and len(uris) == 4
    assert run("download", "SELECT SeriesInstanceUID FROM series", str(site.var / "out")).code == 0
    ran = run("withdraw", "1", "--reason", "a test")
    assert ran.code == 1 and all(uri in ran.out for name, uri in uris.items() if name != "folder")
    states = {row.destination: row.state for row in Batch.objects.get().deliveries.all()}
    assert states.pop("folder") == "REMOVED" and set(states.values()) == {"LEFT"}
    assert site.ports.warehouse.query("SELECT count(*) FROM instance").rows == [(0,)]


def test_without_a_store_the_rows_name_the_pacs_and_nothing_can_be_downloaded(site: Site, orthanc: Pacs) -> None:
    site.set(STORE=orthanc.url)
    site.study(next(NUMBERS), images=1)
    site.process()
    (batch,) = site.deliver()
    assert batch.state == "DONE", batch.errors
    ((uri,),) = site.ports.warehouse.query("SELECT storage_uri FROM dicom").rows
    assert str(uri).startswith(orthanc.url)
    ran = run("download", "SELECT SeriesInstanceUID FROM series", str(site.var / "out"))
    assert ran.code != 0 and "NoStore" in ran.out + ran.err


def test_one_that_is_down_holds_up_itself_alone(site: Site, orthanc: Pacs) -> None:
    (port,) = free_ports(1)
    site.set(STORE=f"folder dicom://NOBODY@127.0.0.1:{port} {orthanc.url}")
    site.study(next(NUMBERS), images=1)
    site.process()
    (batch,) = site.deliver()
    states = {row.destination.partition(":")[0] + row.state: row.code for row in batch.deliveries.all()}
    assert states == {"folderDONE": "", "dicomWAITING": "PacsDown", "dicomDONE": ""}


# ---------------------------------------------------------------------------------------------- URLs


@pytest.mark.parametrize(
    "url",
    [
        "dicom://", "dicom://host:104", "dicom://AET@host", "dicom://AET@host:0", "dicom://AET@host:99999",
        "dicom://AET:secret@host:104", "dicom://THIS-IS-A-LONG-TITLE@host:104", "dicom://AET@host:104/folder",
        "dicom://AET@host:104?associations=0", "dicom://AET@host:104?associations=x", "dicom://AET@host:104?tls=yes",
        "dicom://AET@host:104?secret=1", "dicom://AET@host:104?calling=", "s3://bkt",
    ],
)  # fmt: skip
def test_a_peer_that_makes_no_sense_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(Misconfigured, match="BadSetting") as caught:
        parse_dicom(url, "SENDIT_STORE")
    assert "SENDIT_STORE" in str(caught.value) and "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "dicomweb+https://", "dicomweb+ftp://host/x", "https://host/x", "dicomweb+https://u:secret@host/x",
        "dicomweb+https://host:99999/x", "dicomweb+https://host/x?token=secret", "dicomweb+https://host/x?token_file=",
        "dicomweb+https://host/a b",
    ],
)  # fmt: skip
def test_a_service_that_makes_no_sense_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(Misconfigured, match="BadSetting") as caught:
        parse_web(url, "SENDIT_STORE")
    assert "SENDIT_STORE" in str(caught.value) and "secret" not in str(caught.value)


def test_urls_say_who_is_called_and_by_whom() -> None:
    peer = parse_dicom("dicom://MAIN%20PACS@pacs.example.org:104?calling=GATE&associations=2&tls=true&ca_file=/ca", "X")
    assert (peer.called, peer.calling, peer.host, peer.port, peer.associations) == (
        "MAIN PACS",
        "GATE",
        "pacs.example.org",
        104,
        2,
    )
    assert (peer.tls, peer.ca_file, peer.name) == (True, Path("/ca"), "dicom://MAIN_PACS@pacs.example.org:104")
    service = parse_web("dicomweb+https://pacs.example.org:8443/dicom-web/?token_file=/t", "X")
    assert (service.is_encrypted, service.port, service.path) == (True, 8443, "/dicom-web")
    assert (service.token_file, service.name) == (Path("/t"), "dicomweb+https://pacs.example.org:8443/dicom-web")
    assert not parse_web("dicomweb+http://host", "X").is_encrypted and parse_web("dicomweb+http://host", "X").port == 80
    assert issubclass(ServiceDown, SenditError)
