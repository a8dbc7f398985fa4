"""Notices that name the images of a study: Instance Availability Notification (PS3.4 Annex R) and MPPS (Annex F).

A completed notice is evidence that a study is complete once every image that it names is here.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom import Dataset

from sendit.receiving.services.commitment import named_instances
from sendit.receiving.wire.command_set import Command
from sendit.receiving.wire.negotiation import INSTANCE_AVAILABILITY, PERFORMED_PROCEDURE_STEP

SERVED = {
    (Command.N_CREATE, INSTANCE_AVAILABILITY),
    (Command.N_CREATE, PERFORMED_PROCEDURE_STEP),
    (Command.N_SET, PERFORMED_PROCEDURE_STEP),
}
"""Operations and the SOP classes that have them."""


def named_by(ds: Dataset, abstract_syntax: str) -> frozenset[bytes]:
    """Return the SOP Instance UIDs that a notice names; none of a procedure step that is not completed."""
    if abstract_syntax == PERFORMED_PROCEDURE_STEP and ds.get("PerformedProcedureStepStatus") != "COMPLETED":
        return frozenset()
    return frozenset(
        instance.encode("ascii", "replace") for items in _sequences(ds) for _, instance in named_instances(items)
    )


def _sequences(ds: Dataset) -> Iterator[list[Dataset]]:
    for series in ds.get("ReferencedSeriesSequence") or ():
        yield series.get("ReferencedSOPSequence") or []
    for series in ds.get("PerformedSeriesSequence") or ():
        yield series.get("ReferencedImageSequence") or []
        yield series.get("ReferencedNonImageCompositeSOPInstanceSequence") or []
