"""What goes wrong around the listener: full disks, many senders at once, a PACS that dies while it is asked."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest
from pydicom import dcmread
from pynetdicom import AE

from sendit.ground.daemon import PidFile
from sendit.receiving.models import Retrieval
from tests.support.dicom_network import PEERS, SECONDS, dcmtk_command, dcmtk_options, receiving_on, wait
from tests.support.disks import enlarge, small_disk
from tests.support.pacs import Orthanc, write_cohort
from tests.support.phantoms import accession_number, make_study
from tests.support.site import Site
from topology.servers import free_ports

CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"


def statuses(port: int, paths: list[Path]) -> list[int]:
    entity = AE("STORESCU")
    entity.add_requested_context(CT, EXPLICIT)
    association = entity.associate("127.0.0.1", port, ae_title="SENDIT")
    assert association.is_established
    found = [int(association.send_c_store(path).Status) for path in paths]
    association.release()
    return found


def test_a_disk_that_is_full_refuses_and_keeps_what_it_acknowledged(site: Site, tmp_path: Path) -> None:
    paths = make_study(tmp_path / "out", number=1, images=8, pixels=(1, 512, 512))
    with small_disk(site.data, "2m"), receiving_on(site, LISTENER_MIN_FREE_MB=0) as receiving:
        first = statuses(receiving.port, paths)
        assert set(first) == {0x0000, 0xA700}
        enlarge(site.data, "20m")
        assert set(statuses(receiving.port, paths)) == {0x0000}
        wait(lambda: receiving.folders() and not receiving.unfinished())
        landed = Counter(
            str(dcmread(path).SOPInstanceUID) for folder in receiving.folders() for path in receiving.images(folder)
        )
        wanted = {str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in paths}
        assert set(landed) == wanted
        assert receiving.drafts() == []
        receiving.stop()


def test_five_senders_of_one_study_make_one_folder_with_each_image_once(site: Site, tmp_path: Path) -> None:
    paths = make_study(tmp_path / "out", number=1, images=12)
    with receiving_on(site, LISTENER_QUIET_SECONDS=1.0) as receiving:
        where = ("-aec", "SENDIT", "-aet", "STORESCU", "127.0.0.1", receiving.port)
        command = dcmtk_command("storescu", *where, *paths)
        senders = [subprocess.Popen(command, **dcmtk_options()) for _ in range(5)]
        assert [sender.wait(60) for sender in senders] == [0] * 5
        assert receiving.wait_for_folders(1) == [accession_number(1)]
        landed = [str(dcmread(path).SOPInstanceUID) for path in receiving.images(accession_number(1))]
        assert sorted(landed) == sorted(str(dcmread(path).SOPInstanceUID) for path in paths)


@pytest.mark.timeout(0)
def test_a_pacs_that_is_killed_while_it_is_asked_gives_every_study_in_the_end(
    site: Site, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """With `--pulled 1000` as many are retrieved."""
    number = request.config.getoption("--pulled")
    numbers = range(1, number + 1)
    (port,) = free_ports(1)
    pacs = Orthanc(port)
    pid_file = PidFile(site.var / "listener.pid", "Listener")
    try:
        pacs.start()
        for number in numbers:
            make_study(tmp_path / "held" / str(number), number=number, images=2)
        pacs.hold(tmp_path / "held")
        with receiving_on(site, LISTENER_PORT=port, LISTENER_QUIET_SECONDS=3600) as receiving:
            receiving.restart(
                f'{PEERS}\n[peers.pacs]\ncalled = "SENDIT"\ncalling = "ORTHANC"\naddresses = ["127.0.0.1"]\n'
                f'retrieve_from = "127.0.0.1:{pacs.port}"\n'
            )
            pid_file.acquire()  # the listener runs in this process
            cohort = write_cohort(tmp_path / "cohort.csv", "AccessionNumber", map(accession_number, numbers))
            fetching = site.start("retrieve", "--from", "pacs", str(cohort))
            for retrieved in (1, number // 3, number * 2 // 3):
                wait(lambda wanted=retrieved: _retrieved() >= wanted, seconds=SECONDS + number)
                pacs.end()
                pacs.start()
            assert fetching.wait(120 + number) == 0
            assert receiving.wait_for_folders(len(numbers)) == sorted(map(accession_number, numbers))
            assert {len(receiving.images(folder)) for folder in receiving.folders()} == {2}
    finally:
        pacs.remove()


def _retrieved() -> int:
    return Retrieval.objects.filter(state="retrieved").count()
