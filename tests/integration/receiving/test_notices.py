"""IAN and MPPS: a notice that names the images of a study completes it, before or after they come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    CTImageStorage,
    InstanceAvailabilityNotification,
    ModalityPerformedProcedureStep,
)

from tests.integration.receiving.test_commitment import send, uids_of
from tests.support.dicom_network import Receiving, receiving_on, wait
from tests.support.phantoms import accession_number, make_study
from tests.support.site import Site


@pytest.fixture
def receiving(site: Site) -> Iterator[Receiving]:
    with receiving_on(site, LISTENER_QUIET_SECONDS=3600) as receiving:
        yield receiving


def items(uids: list[str]) -> list[Dataset]:
    found = []
    for uid in uids:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CTImageStorage, uid
        found.append(item)
    return found


def notify(receiving: Receiving, uids: list[str]) -> None:
    """Send an Instance Availability Notification."""
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = "1.2.3", items(uids)
    ds = Dataset()
    ds.StudyInstanceUID, ds.ReferencedSeriesSequence = "1.2", [series]
    entity = AE("STORESCU")
    entity.add_requested_context(InstanceAvailabilityNotification)
    association = entity.associate("127.0.0.1", receiving.port, ae_title="SENDIT")
    status, _ = association.send_n_create(ds, InstanceAvailabilityNotification, "1.2.3.4")
    association.release()
    assert status.Status == 0


def perform(receiving: Receiving, uids: list[str], outcome: str = "COMPLETED") -> None:
    """Send a Modality Performed Procedure Step, from its beginning to its end."""
    entity = AE("STORESCU")
    entity.add_requested_context(ModalityPerformedProcedureStep)
    association = entity.associate("127.0.0.1", receiving.port, ae_title="SENDIT")
    step = Dataset()
    step.PerformedProcedureStepStatus = "IN PROGRESS"
    assert association.send_n_create(step, ModalityPerformedProcedureStep, "1.2.3.5")[0].Status == 0
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedImageSequence = "1.2.3", items(uids)
    end = Dataset()
    end.PerformedProcedureStepStatus, end.PerformedSeriesSequence = outcome, [series]
    assert association.send_n_set(end, ModalityPerformedProcedureStep, "1.2.3.5")[0].Status == 0
    association.release()


def bring(receiving: Receiving, paths: list[Path]) -> None:
    entity = AE("STORESCU")
    entity.add_requested_context(CTImageStorage, "1.2.840.10008.1.2.1")
    association = entity.associate("127.0.0.1", receiving.port, ae_title="SENDIT")
    send(association, paths)
    association.release()


@pytest.mark.parametrize("tell", [notify, perform])
@pytest.mark.parametrize("is_first", [False, True], ids=["after the images", "before the images"])
def test_a_notice_that_names_all_images_completes_the_study(
    receiving: Receiving, tmp_path: Path, tell, is_first: bool
) -> None:  # type: ignore[no-untyped-def]
    paths = make_study(tmp_path / "out", number=1, images=2)
    for step in (tell, bring) if is_first else (bring, tell):
        step(receiving, uids_of(paths) if step is tell else paths)
    assert receiving.wait_for_folders(1) == [accession_number(1)]
    receiving.site.process()
    assert [event.fields["evidence"] for event in receiving.events("batch.received")] == ["notification"]


def test_a_notice_of_part_of_the_images_or_of_a_step_that_was_discontinued_completes_nothing(
    receiving: Receiving, tmp_path: Path
) -> None:
    paths = make_study(tmp_path / "out", number=1, images=3)
    bring(receiving, paths[:2])
    notify(receiving, uids_of(paths))
    perform(receiving, uids_of(paths[:2]), "DISCONTINUED")
    bring(receiving, paths[:1])  # a copy; the listener has looked at what was said by now
    assert receiving.folders() == []
    bring(receiving, paths[2:])
    wait(lambda: receiving.folders())
