"""`retrieve`: lists of studies, fetched from Orthanc and from dcmtk's dcmqrscp."""

from __future__ import annotations

import html
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from sendit.ground.daemon import PidFile
from sendit.receiving.models import Pull, Retrieval
from sendit.receiving.retrieving import pulls
from sendit.receiving.retrieving.cohort import parse_cohort
from sendit.web.roles import Role
from tests.support.dicom_network import PEERS, Receiving, receiving_on, wait
from tests.support.pacs import Dcmqrscp, Orthanc, write_cohort
from tests.support.pages import a_user, signed_in, web_settings
from tests.support.phantoms import accession_number, leaks_in, make_study, patient_id
from tests.support.site import Site
from topology.servers import free_ports

WAYS = pytest.mark.parametrize(
    ("kind", "by"),
    [(Orthanc, "move"), (Dcmqrscp, "move"), (Orthanc, "get"), (Dcmqrscp, "get"), (Orthanc, "web")],
    ids=["Orthanc-move", "dcmqrscp-move", "Orthanc-get", "dcmqrscp-get", "Orthanc-web"],
)
ONE_WAY = pytest.mark.parametrize(("kind", "by"), [(Orthanc, "move")], ids=["Orthanc-move"])


class Fetching:
    """A listener, a PACS that holds studies, and the command between them."""

    def __init__(self, receiving: Receiving, pacs: Orthanc | Dcmqrscp, folder: Path, by: str) -> None:
        self.receiving, self.pacs, self.folder = receiving, pacs, folder
        title = type(pacs).__name__.upper()
        is_web = by == "web" and isinstance(pacs, Orthanc)
        place = f'"{pacs.web_service}"' if is_web else f'"127.0.0.1:{pacs.port}"\nretrieve_by = "{by}"'
        receiving.restart(
            f'{PEERS}\n[peers.pacs]\ncalled = "SENDIT"\ncalling = "{title}"\naddresses = ["127.0.0.1"]\n'
            f"retrieve_from = {place}\n"
        )
        self._pid_file = PidFile(receiving.site.var / "listener.pid", "Listener")
        self._pid_file.acquire()  # it runs in this process

    def hold(self, **studies: int) -> None:
        """Let the PACS hold studies: `s1=3` is the first with three images."""
        for name, images in studies.items():
            make_study(self.folder / "held" / name, number=int(name[1:]), images=images)
        self.pacs.hold(self.folder / "held")

    def fetch(self, header: str, *rows: str) -> tuple[int, str]:
        """Run the command; its exit code, and what it shows, in one line."""
        cohort = write_cohort(self.folder / "cohort.csv", header, rows)
        done = self.receiving.site.run("retrieve", "--from", "pacs", str(cohort))
        return done.returncode, " ".join(done.stdout.split())


@pytest.fixture
def fetching(site: Site, tmp_path: Path, kind: type[Orthanc] | type[Dcmqrscp], by: str) -> Iterator[Fetching]:
    (port,) = free_ports(1)
    pacs = kind(port)
    try:
        pacs.start()
        with receiving_on(site, LISTENER_PORT=port, LISTENER_QUIET_SECONDS=3600) as receiving:
            yield Fetching(receiving, pacs, tmp_path, by)
    finally:
        pacs.remove()


@WAYS
def test_a_list_of_accessions_is_fetched_and_complete_by_count(fetching: Fetching) -> None:
    fetching.hold(s1=3, s2=2)
    code, said = fetching.fetch("AccessionNumber", accession_number(1), accession_number(2), accession_number(9))
    assert (code, said) == (1, "wanted 3 found 2 retrieved 2 missing 1 incomplete 0")
    assert fetching.receiving.wait_for_folders(2) == [accession_number(1), accession_number(2)]
    fetching.receiving.site.process()
    assert [event.fields for event in fetching.receiving.events("batch.received")] == [
        {"evidence": "retrieval", "images": 3},
        {"evidence": "retrieval", "images": 2},
    ]
    kept = repr(list(Retrieval.objects.values()))
    assert leaks_in(kept) == []
    assert [row.wanted.reveal() is None for row in Retrieval.objects.order_by("state")] == [False, True, True]


@ONE_WAY
def test_a_list_of_patients_and_dates_is_fetched(fetching: Fetching) -> None:
    fetching.hold(s1=1)
    code, said = fetching.fetch("Patient ID,Study Date,note", f"{patient_id(1)},2004-01-19,x")
    assert (code, said) == (0, "wanted 1 found 1 retrieved 1 missing 0 incomplete 0")


@ONE_WAY
def test_what_was_fetched_is_not_fetched_again(fetching: Fetching) -> None:
    fetching.hold(s1=2)
    assert fetching.fetch("AccessionNumber", accession_number(1))[0] == 0
    fetching.receiving.wait_for_folders(1)
    fetching.pacs.end()
    assert fetching.fetch("AccessionNumber", accession_number(1))[0] == 0


@ONE_WAY
def test_a_pacs_that_is_away_is_waited_for(fetching: Fetching) -> None:
    fetching.hold(s1=2)
    fetching.pacs.end()
    results: list[tuple[int, str]] = []
    asking = threading.Thread(target=lambda: results.append(fetching.fetch("AccessionNumber", accession_number(1))))
    asking.start()
    wait(lambda: Retrieval.objects.exists())
    fetching.pacs.start()
    asking.join(60)
    assert results and results[0][0] == 0


@ONE_WAY
def test_what_is_asked_for_on_the_page_is_retrieved_by_the_listener(fetching: Fetching) -> None:
    fetching.hold(s1=2, s2=1)
    with web_settings():
        browser = signed_in(a_user(Role.OPERATOR))
        text = f"AccessionNumber\n{accession_number(1)}\n{accession_number(9)}\n"
        browser.post("/pulls", {"peer": "pacs", "list": text})
        wait(lambda: pulls.reports()[0].state == "done")
        page = browser.get("/pulls").content.decode()
    (done,) = pulls.reports()
    assert (done.wanted, done.found, done.retrieved, done.missing, done.waiting) == (2, 1, 1, 1, 0)
    assert fetching.receiving.wait_for_folders(1) == [accession_number(1)]
    assert "Pull 1: 2 lines are wanted from pacs." in html.unescape(page) and "Try the rest again" in page
    assert leaks_in(page) == leaks_in(repr(list(Pull.objects.values()))) == []


@ONE_WAY
def test_a_pull_outlives_the_listener_and_is_stopped_by_a_person(fetching: Fetching) -> None:
    fetching.hold(s1=2)
    fetching.pacs.end()
    key = pulls.ask("pacs", parse_cohort(["AccessionNumber\n", accession_number(1)]), "ada")
    wait(lambda: pulls.reports()[0].waits_for == "PacsDown")
    fetching.receiving.stop()
    assert pulls.stop(key) and not pulls.stop(key) and pulls.go_on(key) and not pulls.go_on(key)
    fetching.pacs.start()
    fetching.receiving.start()
    wait(lambda: pulls.reports()[0].state == "done")
    assert fetching.receiving.wait_for_folders(1) == [accession_number(1)]


@ONE_WAY
def test_two_hosts_do_not_pull_the_same(fetching: Fetching) -> None:
    fetching.receiving.stop()
    pulls.ask("pacs", parse_cohort(["AccessionNumber\n", accession_number(1)]), "ada")
    mine = pulls.take("pacs", "one")
    assert mine is not None and pulls.take("pacs", "two") is None
    assert pulls.hold(mine, "one") and not pulls.hold(mine, "two")
    Pull.objects.update(held_until=timezone.now())
    assert pulls.take("pacs", "two") is not None and not pulls.hold(mine, "one")


@pytest.mark.shows_identifiers
@pytest.mark.parametrize("content", ["", "AccessionNumber\n", "Name\nx\n", "AccessionNumber\n*\n"])
def test_a_list_that_makes_no_sense_is_refused(site: Site, tmp_path: Path, content: str) -> None:
    (site.var / "peers.toml").write_text(PEERS)
    (tmp_path / "cohort.csv").write_text(content)
    done = site.run("retrieve", "--from", "test", str(tmp_path / "cohort.csv"))
    assert done.returncode == 2 and "BadCohort" in done.stderr
