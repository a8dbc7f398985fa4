"""What a PACS is asked: queries (C-FIND) and retrievals (C-MOVE, C-GET) in the Study Root model (PS3.4 Annex C)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ssl import SSLContext
from typing import Any

from pydicom import Dataset
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, StoragePresentationContexts, build_role, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE

from sendit.errors import ServiceDown, ServiceRefused
from sendit.receiving.dicomweb.forwarding import Forwarder
from sendit.receiving.peers import Endpoint, Peer, Retrieving
from sendit.receiving.retrieving.source import Match, Transfer
from sendit.receiving.wire.negotiation import is_readable

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
GET = "1.2.840.10008.5.1.4.1.2.2.3"

CONNECT_SECONDS = 15.0
MOST_STORAGE_CONTEXTS = 127
"""SOP classes that are offered for C-GET: an association has at most 128 presentation contexts."""
OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0xA700, 0xC000
PIECE = 128 * 1024
ANSWER_SECONDS = 600.0
"""How long a PACS may take between two answers: it may have to fetch a study from tape."""


class Pacs:
    """A peer that is queried.

    Parameters
    ----------
    peer : Peer
        It has `retrieve_from`, which is no URL.
    forwarder : Forwarder
        Takes the images that come on our own associations (C-GET) to the listener.
    tls : SSLContext, optional
        By which the association is protected.
    """

    def __init__(self, peer: Peer, forwarder: Forwarder, tls: SSLContext | None = None) -> None:
        self._peer, self._forwarder, self._tls = peer, forwarder, tls

    @contextmanager
    def _associated(self, entity: AE, **options: Any) -> Iterator[Association]:
        """Associate. Raises ServiceDown("PacsDown") or ServiceRefused("PacsRefused")."""
        entity.connection_timeout = entity.acse_timeout = CONNECT_SECONDS
        entity.dimse_timeout, entity.network_timeout = ANSWER_SECONDS, ANSWER_SECONDS
        endpoint = self._peer.retrieve_from
        assert isinstance(endpoint, Endpoint)
        tls = (self._tls, endpoint.host) if self._tls else None
        association = entity.associate(
            endpoint.host, endpoint.port, ae_title=self._peer.calling, tls_args=tls, **options
        )
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

    def bring(self, study: str) -> Transfer:
        """Let the PACS send a study to our listener. Raises as `find` does."""
        return self._get(study) if self._peer.retrieve_by is Retrieving.GET else self._move(study)

    def _move(self, study: str) -> Transfer:
        entity = AE(self._peer.called)
        entity.add_requested_context(MOVE)
        with self._associated(entity) as association:
            return _end_of(lambda: association.send_c_move(_of_study(study), self._peer.called, MOVE))

    def _get(self, study: str) -> Transfer:
        """Take the images of a study on the association of the request, and hand each over before it is confirmed."""
        entity = AE(self._peer.called)
        entity.add_requested_context(GET)
        classes = [str(context.abstract_syntax) for context in StoragePresentationContexts[:MOST_STORAGE_CONTEXTS]]
        syntaxes = [syntax for syntax in ALL_TRANSFER_SYNTAXES if is_readable(syntax)]
        for sop_class in classes:
            entity.add_requested_context(sop_class, syntaxes)
        roles = [build_role(sop_class, scp_role=True) for sop_class in classes]
        handlers = [(evt.EVT_C_STORE, self._keep)]
        with self._associated(entity, ext_neg=roles, evt_handlers=handlers) as association:
            return _end_of(lambda: association.send_c_get(_of_study(study), GET))

    def _keep(self, event: evt.Event) -> int:
        """Hand an image that came by C-GET to the listener; returns the status to answer."""
        request, syntax = event.request, str(event.context.transfer_syntax)
        dataset = request.DataSet if isinstance(request, C_STORE) else None
        if not isinstance(request, C_STORE) or dataset is None:
            return CANNOT_UNDERSTAND
        sop_class, sop_instance = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
        dataset.seek(0)
        pieces = iter(lambda: dataset.read(PIECE), b"")
        try:
            return self._forwarder.store(sop_class, sop_instance, syntax, pieces)
        except ServiceDown:
            return OUT_OF_RESOURCES


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


def _end_of(ask: Callable[[], Iterator[tuple[Dataset, Dataset | None]]]) -> Transfer:
    """Let a study be sent, and return what the last answer says."""
    last = Dataset()
    try:
        for status, _ in ask():
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
