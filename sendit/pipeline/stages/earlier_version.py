"""What a version without digests delivered of a study: the warehouse is asked for the UIDs of its images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from sendit.errors import DataFault
from sendit.pipeline.record.studies import EarlierArchive
from sendit.projects.composition import Ports


class DeliveredUids:
    """The UIDs in archives of an earlier version, as they were delivered: pseudonyms, or as a recipe kept them.

    Parameters
    ----------
    archives : sequence of EarlierArchive
    ports : Ports
    """

    def __init__(self, archives: Sequence[EarlierArchive], ports: Ports) -> None:
        self._archives, self._ports = archives, ports

    def member(self, sop_instance_uid: str) -> str | None:
        """The name, in its archive, of the image with that UID."""
        if not self._archives:
            return None
        return self._members.get(self._ports.pseudonyms.uid(sop_instance_uid)) or self._members.get(sop_instance_uid)

    def are_of_study(self, study_instance_uids: set[str]) -> bool:
        """Whether the archives are of these Study Instance UIDs."""
        known = {study for _, _, study in self._rows}
        return all(known & {uid, self._ports.pseudonyms.uid(uid)} for uid in study_instance_uids)

    @cached_property
    def _members(self) -> dict[str, str]:
        return {uid: member for member, uid, _ in self._rows}

    @cached_property
    def _rows(self) -> list[tuple[str, str, str]]:
        rows: list[tuple[str, str, str]] = []
        for archive in self._archives:
            sql = f"SELECT member, SOPInstanceUID, StudyInstanceUID FROM instance WHERE object_name = {_text(archive)}"
            found = [
                (str(member), str(uid), str(study)) for member, uid, study in self._ports.warehouse.query(sql).rows
            ]
            if len(found) < archive.images:
                raise DataFault("DeliveryUnknown")
            rows += found
        return rows


def _text(archive: EarlierArchive) -> str:
    """A literal; object names are of pseudonyms, but a collection's name might hold a quote."""
    return "'" + archive.object_name.replace("'", "''") + "'"
