"""What a PACS is asked: queries (C-FIND) and retrievals (C-MOVE) in the Study Root model (PS3.4 Annex C)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ssl import SSLContext

from pydicom import Dataset
from pynetdicom import AE
from pynetdicom.association import Association

from sendit.errors import ServiceDown, ServiceRefused
from sendit.receiving.peers import Peer

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"

CONNECT_SECONDS = 15.0
ANSWER_SECONDS = 600.0
"""How long a PACS may take between two answers: it may have to fetch a study from tape."""


@dataclass(frozen=True, slots=True, repr=False)
class Match:
    """A study that a query has found; `images` is what (0020,1208) says, or was counted."""

    study: str
    images: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a PACS says at the end of a retrieval."""

    completed: int
    failed: int


class Pacs:
    """A peer that is queried.

    Parameters
    ----------
    peer : Peer
        It has `retrieve_from`.
    tls : SSLContext, optional
        By which the association is protected.
    """

    def __init__(self, peer: Peer, tls: SSLContext | None = None) -> None:
        self._peer, self._tls = peer, tls

    @contextmanager
    def _associated(self, entity: AE) -> Iterator[Association]:
        """Associate. Raises ServiceDown("PacsDown") or ServiceRefused("PacsRefused")."""
        entity.connection_timeout = entity.acse_timeout = CONNECT_SECONDS
        entity.dimse_timeout, entity.network_timeout = ANSWER_SECONDS, ANSWER_SECONDS
        endpoint = self._peer.retrieve_from
        assert endpoint is not None
        tls = (self._tls, endpoint.host) if self._tls else None
        association = entity.associate(endpoint.host, endpoint.port, ae_title=self._peer.calling, tls_args=tls)
        if not association.is_established:
            raise _refusal(association)
        try:
            yield association
        finally:
            if association.is_established:
                association.release()

    def find(self, keys: dict[str, str]) -> list[Match]:
        """Return the studies that match.

        Raises ServiceDown if the PACS does not answer, ServiceRefused if it refuses.
        """
        entity = AE(self._peer.called)
        entity.add_requested_context(FIND)
        with self._associated(entity) as association:
            found = {
                str(ds.StudyInstanceUID): ds
                for ds in _query(association, "STUDY", keys, ("StudyInstanceUID", "NumberOfStudyRelatedInstances"))
                if ds.get("StudyInstanceUID")
            }
            return [Match(study, _images(association, study, ds)) for study, ds in found.items()]

    def move(self, study: str) -> Transfer:
        """Let the PACS send a study to our listener. Raises as `find` does."""
        entity = AE(self._peer.called)
        entity.add_requested_context(MOVE)
        with self._associated(entity) as association:
            return _end_of(association, _of_study(study), self._peer.called)


def _refusal(association: Association) -> ServiceDown | ServiceRefused:
    """Permanent rejections are the operator's business; everything else may pass."""
    answer = association.acceptor.primitive
    if association.is_rejected and answer is not None and answer.result == 1:
        return ServiceRefused("PacsRefused")
    return ServiceDown("PacsDown")


def _query(association: Association, level: str, keys: dict[str, str], wanted: tuple[str, ...]) -> Iterator[Dataset]:
    """Yield the matches of one query."""
    ds = Dataset()
    ds.QueryRetrieveLevel = level
    for keyword in wanted:
        setattr(ds, keyword, None)
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    try:
        answers = association.send_c_find(ds, FIND)
    except ValueError:  # the context was not accepted
        raise ServiceRefused("PacsRefused") from None
    except RuntimeError:
        raise ServiceDown("PacsDown") from None
    for status, found in answers:
        code = status.get("Status")
        if code in (0xFF00, 0xFF01):
            if found is not None:
                yield found
        elif code is None:
            raise ServiceDown("PacsDown")
        elif code != 0x0000:
            raise _of_status(code)


def _of_status(code: int) -> ServiceDown | ServiceRefused:
    """Out of resources may pass; everything else will not."""
    return ServiceDown("PacsDown") if code >> 8 == 0xA7 else ServiceRefused("PacsRefused", subject=f"{code:04X}")


def _images(association: Association, study: str, ds: Dataset) -> int:
    """Return how many images a study has; a PACS that does not say is asked for its series, and then for its images."""
    told = ds.get("NumberOfStudyRelatedInstances")
    if told:
        return int(told)
    keys = {"StudyInstanceUID": study}
    series = list(_query(association, "SERIES", keys, ("SeriesInstanceUID", "NumberOfSeriesRelatedInstances")))
    numbers = [one.get("NumberOfSeriesRelatedInstances") for one in series]
    if all(numbers):
        return sum(int(number) for number in numbers if number)
    by_series = ({**keys, "SeriesInstanceUID": str(one.get("SeriesInstanceUID", ""))} for one in series)
    return sum(1 for keys in by_series for _ in _query(association, "IMAGE", keys, ("SOPInstanceUID",)))


def _of_study(study: str) -> Dataset:
    ds = Dataset()
    ds.QueryRetrieveLevel = "STUDY"
    ds.StudyInstanceUID = study
    return ds


def _end_of(association: Association, study: Dataset, destination: str) -> Transfer:
    """Let a study be sent, and return what the last answer says."""
    last = Dataset()
    try:
        for status, _ in association.send_c_move(study, destination, MOVE):
            last = status
    except ValueError:  # the context was not accepted
        raise ServiceRefused("PacsRefused") from None
    except RuntimeError:
        raise ServiceDown("PacsDown") from None
    code = last.get("Status")
    if code is None:
        raise ServiceDown("PacsDown")
    completed = int(last.get("NumberOfCompletedSuboperations") or 0)
    warned = int(last.get("NumberOfWarningSuboperations") or 0)
    failed = int(last.get("NumberOfFailedSuboperations") or 0)
    if code not in (0x0000, 0xB000) and not completed + failed:
        raise _of_status(code)
    return Transfer(completed + warned, failed)
