"""Storage commitment: what a modality asks for, and what it is told, on the same association or on a new one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import CTImageStorage, StorageCommitmentPushModel  # type: ignore[attr-defined]

from sendit.receiving.models import Commitment
from sendit.receiving.services import commitment
from tests.support.dicom_network import PEERS, Receiving, receiving_on, wait
from tests.support.phantoms import accession_number, leaks_in, make_study
from tests.support.site import Site
from topology.servers import free_ports

INSTANCE = "1.2.840.10008.1.20.1.1"


class Modality:
    """A peer that sends images and asks for commitment; it keeps the reports that it gets."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reports: list[tuple[int, Dataset]] = []
        self.answer = 0x0000

    def _take(self, event: evt.Event) -> tuple[int, None]:
        self.reports.append((event.event_type, event.event_information))
        return self.answer, None

    @contextmanager
    def associated(self, *, listens: bool = True) -> Iterator[Association]:
        """An association for images and commitment."""
        entity = AE("STORESCU")
        entity.add_requested_context(CTImageStorage, "1.2.840.10008.1.2.1")
        entity.add_requested_context(StorageCommitmentPushModel)
        handlers = [(evt.EVT_N_EVENT_REPORT, self._take)] if listens else []
        association = entity.associate("127.0.0.1", self.port, ae_title="SENDIT", evt_handlers=handlers)
        assert association.is_established
        yield association
        association.release()

    @contextmanager
    def listening(self, port: int) -> Iterator[None]:
        """Takes reports on associations of sendit's."""
        entity = AE("STORESCU")
        entity.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
        server = entity.start_server(
            ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, self._take)]
        )
        assert server is not None
        yield
        server.shutdown()


def send(association: Association, paths: list[Path]) -> None:
    for path in paths:
        assert association.send_c_store(dcmread(path)).Status == 0


def ask(association: Association, *uids: str) -> int:
    """Ask for commitment to images; the status that is answered."""
    ds = Dataset()
    ds.TransactionUID = generate_uid()
    ds.ReferencedSOPSequence = [Dataset() for _ in uids]
    for item, uid in zip(ds.ReferencedSOPSequence, uids, strict=True):
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CTImageStorage, uid
    status, _ = association.send_n_action(ds, 1, StorageCommitmentPushModel, INSTANCE)
    return int(status.Status)


def uids_of(paths: list[Path]) -> list[str]:
    return [str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in paths]


def named(report: Dataset, keyword: str) -> list[str]:
    return [item.ReferencedSOPInstanceUID for item in report.get(keyword) or ()]


@pytest.fixture
def receiving(site: Site) -> Iterator[Receiving]:
    """Quiet time completes nothing here."""
    with receiving_on(site, LISTENER_QUIET_SECONDS=3600) as receiving:
        yield receiving


@pytest.fixture
def modality(receiving: Receiving) -> Modality:
    return Modality(receiving.port)


def test_a_request_that_names_all_images_completes_the_study_and_is_answered(
    receiving: Receiving, modality: Modality, tmp_path: Path
) -> None:
    paths = make_study(tmp_path / "out", number=1, images=3)
    with modality.associated() as association:
        send(association, paths)
        assert ask(association, *uids_of(paths)) == 0
        wait(lambda: modality.reports)
        assert receiving.wait_for_folders(1) == [accession_number(1)]
        ((kind, report),) = modality.reports
        assert kind == 1 and named(report, "ReferencedSOPSequence") == uids_of(paths)
        wait(lambda: not Commitment.objects.exists())
    receiving.site.process()
    assert [event.fields for event in receiving.events("batch.received")] == [{"evidence": "commitment", "images": 3}]


def test_a_request_that_names_some_images_completes_nothing(
    receiving: Receiving, modality: Modality, tmp_path: Path
) -> None:
    paths = make_study(tmp_path / "out", number=1, images=3)
    with modality.associated() as association:
        send(association, paths)
        assert ask(association, *uids_of(paths)[:2]) == 0
        wait(lambda: modality.reports)
        assert receiving.folders() == []
        assert ask(association, *uids_of(paths)[2:]) == 0  # now all have been named
        receiving.wait_for_folders(1)


def test_a_request_does_not_complete_a_study_that_another_association_brings(
    receiving: Receiving, modality: Modality, tmp_path: Path
) -> None:
    first, second = make_study(tmp_path / "out", number=1, images=2)
    with modality.associated() as bringing, modality.associated() as asking:
        send(bringing, [first])
        send(asking, [second])
        assert ask(asking, *uids_of([first, second])) == 0
        wait(lambda: modality.reports)
        assert modality.reports[0][0] == 1 and receiving.folders() == []


def test_images_that_are_not_here_are_named_as_failed(modality: Modality, tmp_path: Path) -> None:
    paths = make_study(tmp_path / "out", number=1, images=2)
    with modality.associated() as association:
        send(association, paths[:1])
        assert ask(association, *uids_of(paths)) == 0
        wait(lambda: modality.reports)
    ((kind, report),) = modality.reports
    assert kind == 2
    assert named(report, "ReferencedSOPSequence") == uids_of(paths[:1])
    assert named(report, "FailedSOPSequence") == uids_of(paths[1:])
    assert report.FailedSOPSequence[0].FailureReason == 0x0112


def test_images_that_were_handed_over_are_committed_to(
    receiving: Receiving, modality: Modality, tmp_path: Path
) -> None:
    paths = make_study(tmp_path / "out", number=1, images=3)
    with modality.associated() as association:
        send(association, paths)
        assert ask(association, *uids_of(paths)) == 0
        receiving.wait_for_folders(1)
    receiving.stop()
    receiving.start()
    modality.port = receiving.port
    modality.reports.clear()
    with modality.associated() as association:
        assert ask(association, *uids_of(paths)) == 0
        wait(lambda: modality.reports)
    assert modality.reports[0][0] == 1


def test_a_result_that_is_not_confirmed_is_sent_again_on_a_new_association(
    receiving: Receiving, modality: Modality, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    receiving.restart(PEERS + f'answers_at = "127.0.0.1:{port}"\n')
    modality.port = receiving.port
    paths = make_study(tmp_path / "out", number=1, images=2)
    modality.answer = 0x0110
    with modality.associated() as association:
        send(association, paths)
        assert ask(association, *uids_of(paths)) == 0
        wait(lambda: modality.reports)
    modality.answer = 0x0000
    receiving.make_due()
    with modality.listening(port):
        wait(lambda: len(modality.reports) > 1)
        wait(lambda: not Commitment.objects.exists())
    assert [kind for kind, _ in modality.reports] == [1, 1]


def test_a_request_outlives_the_listener_and_is_encrypted(
    receiving: Receiving, modality: Modality, tmp_path: Path
) -> None:
    paths = make_study(tmp_path / "out", number=1, images=2)
    modality.answer = 0x0110
    with modality.associated() as association:
        send(association, paths)
        assert ask(association, *uids_of(paths)) == 0
        wait(lambda: modality.reports)
    (row,) = Commitment.objects.values_list("peer", "request")
    assert leaks_in(repr(row)) == [] and Commitment.objects.count() == 1
    receiving.stop()
    modality.answer = 0x0000
    receiving.start()
    modality.port = receiving.port
    with modality.associated():  # without a place of its own, the peer hears of it when it comes back
        wait(lambda: not Commitment.objects.exists())
    assert [kind for kind, _ in modality.reports] == [1, 1]


@pytest.mark.parametrize(("instance", "action", "status"), [(INSTANCE, 2, 0x0123), ("1.2.3", 1, 0x0112)])
def test_what_is_no_request_for_commitment_is_refused(
    modality: Modality, instance: str, action: int, status: int
) -> None:
    with modality.associated() as association:
        ds = Dataset()
        ds.TransactionUID = "1.2"
        answered, _ = association.send_n_action(ds, action, StorageCommitmentPushModel, instance)
        assert answered.Status == status


def test_a_request_without_images_is_refused(modality: Modality) -> None:
    with modality.associated() as association:
        assert ask(association) == 0x0115


def test_a_peer_that_confirms_nothing_may_not_ask_without_end(
    receiving: Receiving, modality: Modality, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commitment, "MOST_KEPT", 2)
    modality.answer = 0x0110
    with modality.associated() as association:
        assert [ask(association, "1.2.3") for _ in range(3)] == [0, 0, 0x0213]
