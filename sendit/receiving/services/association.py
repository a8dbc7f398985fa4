"""One association, from its request to its end: which message comes next, and who answers it."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from sendit.ground import database, events
from sendit.receiving.landings.zone import Zone
from sendit.receiving.peers import Peer, Peers
from sendit.receiving.services import commitment, notices
from sendit.receiving.services.commitment import ActionStatus, Report
from sendit.receiving.services.commitment import Request as CommitmentRequest
from sendit.receiving.services.storing import FreeSpace, Incoming, StoreStatus
from sendit.receiving.terms import Terms
from sendit.receiving.wire import command_set
from sendit.receiving.wire.command_set import Command, CommandSet, Field
from sendit.receiving.wire.negotiation import (
    CALLED_UNKNOWN,
    CALLING_UNKNOWN,
    SERVICES,
    STORAGE_COMMITMENT,
    VERIFICATION,
    Context,
    Rejection,
    Request,
    accept,
    decode_request,
    is_storage,
    reject,
)
from sendit.receiving.wire.pdus import (
    AbortReason,
    Fragment,
    PduReader,
    PduType,
    PeerGone,
    PeerMisbehaves,
    abort,
    data_pdus,
    fragments,
    release_response,
)

LOCAL = "local"
"""In place of an IP address: the peer is a process of this host that may open our local socket."""
REQUEST_SECONDS = 30.0
"""An A-ASSOCIATE-RQ must be there as a whole by then (the ARTIM timer of PS3.8 section 9.1.5)."""

SUCCESS, UNRECOGNIZED_OPERATION, SOP_CLASS_NOT_SUPPORTED = 0x0000, 0x0211, 0x0122


@dataclass(frozen=True, slots=True)
class Berth:
    """Where the studies for one data folder land."""

    zone: Zone
    free_space: FreeSpace


@dataclass(frozen=True, slots=True)
class Harbour:
    """What all associations share.

    Attributes
    ----------
    berths : mapping
        By the path of the data folder, as the peers name it.
    wake : callable
        Called when an association has ended.
    """

    peers: Peers
    terms: Terms
    berths: Mapping[str, Berth]
    wake: Callable[[], None]
    tls: ssl.SSLContext | None = None
    """What associations are protected with."""

    def assess(self, request: CommitmentRequest, peer: Peer, bringer: int = 0) -> Report:
        """Say which images that a request names are here, and complete the studies that it completes."""
        zone = self.berth(peer).zone
        return commitment.assess(request, [zone], bringer, lambda _: self.wake())

    def berth(self, peer: Peer) -> Berth:
        """Return where a peer's studies land."""
        return self.berths[str(peer.data_folder)]


@dataclass(slots=True)
class Message:
    """A DIMSE message that is coming in: its command set, and for an image, where it goes."""

    context_id: int = 0
    command: CommandSet = field(default_factory=dict)
    incoming: Incoming | None = None
    data: bytearray = field(default_factory=bytearray)
    is_kept: bool = False
    """Whether the dataset is to be kept in memory."""


class Association(threading.Thread):
    """An association with a peer, in a thread of its own.

    Parameters
    ----------
    connection : socket.socket
        It is closed at the end.
    address : str
        The peer's IP address.
    harbour : Harbour
    number : int
        Tells this association from the others of the process.
    refusal : Rejection, optional
        What to answer any request with.
    """

    def __init__(
        self, connection: socket.socket, address: str, harbour: Harbour, number: int, refusal: Rejection | None = None
    ) -> None:
        super().__init__(name=f"association {number}", daemon=True)
        self.address, self.number = address, number
        self._socket, self._harbour, self._refusal = connection, harbour, refusal
        self._contexts: dict[int, Context] = {}
        self._longest_pdu = 0
        self._command = bytearray()
        self._message: Message | None = None
        self._images = 0
        self._message_ids = itertools.count(1)
        self._pending: dict[int, CommitmentRequest] = {}
        """Reports that were sent on this association and are not confirmed yet, by Message ID."""

    def run(self) -> None:
        """Serve the association until its end."""
        ended = "gone"
        try:
            ended = self._serve()
        except PeerMisbehaves as error:
            ended = error.reason.name.lower()
            self._send(abort(error.reason))
        except PeerGone:
            pass
        finally:
            self._end(ended)

    def stop(self) -> None:
        """End it from another thread, after what is being read."""
        with suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RD)  # that of TLS would go on in plain

    def _end(self, ended: str) -> None:
        if self._message and self._message.incoming:
            self._message.incoming.discard()
        with suppress(OSError):
            self._socket.close()
        for berth in self._harbour.berths.values():
            berth.zone.leave(self.number)
        if self._contexts:
            events.log("listener.association_ended", association=self.number, images=self._images, ended=ended)
        self._harbour.wake()

    def _send(self, data: bytes) -> None:
        """Send all; a peer that is gone shows in the next read."""
        with suppress(OSError):
            self._socket.sendall(data)

    # ------------------------------------------------------------------------------------------ PDUs

    def _serve(self) -> str:
        """Serve until the end, and return a word for how it came."""
        if self._harbour.tls and self.address != LOCAL and not self._shake_hands(self._harbour.tls):
            return "rejected"
        reader = PduReader(self._socket, self._harbour.terms.idle_seconds)
        kind, body = reader.read(REQUEST_SECONDS)
        if kind != PduType.ASSOCIATE_RQ:
            raise PeerMisbehaves(AbortReason.UNEXPECTED_PDU)
        if not self._establish(bytes(body)):
            return "rejected"
        while True:
            kind, body = reader.read()
            if kind == PduType.P_DATA_TF:
                for fragment in fragments(body):
                    self._take(fragment)
            elif kind == PduType.RELEASE_RQ:
                self._send(release_response())
                return "released"
            elif kind == PduType.ABORT:
                return "aborted"
            else:
                raise PeerMisbehaves(AbortReason.UNEXPECTED_PDU)

    def _shake_hands(self, tls: ssl.SSLContext) -> bool:
        """Begin TLS; False if the peer's certificate or its TLS is not acceptable."""
        self._socket.settimeout(REQUEST_SECONDS)
        try:
            self._socket = tls.wrap_socket(self._socket, server_side=True)
        except OSError:
            events.log("listener.rejected", reason="tls")
            return False
        return True

    def _establish(self, body: bytes) -> bool:
        request = decode_request(body)
        answer = request if isinstance(request, Rejection) else self._refusal or self._admit(request)
        if isinstance(answer, Rejection):
            events.log("listener.rejected", reason=answer.why)
            self._send(reject(answer))
            return False
        assert isinstance(request, Request)
        accepted = accept(request)
        self._contexts, self._longest_pdu = accepted.contexts, request.longest_pdu
        events.log("listener.association", association=self.number, peer=answer.name, contexts=len(self._contexts))
        self._send(accepted.pdu)
        self._report_again()
        return True

    def _admit(self, request: Request) -> Peer | Rejection:
        peers = self._harbour.peers
        if self.address == LOCAL:
            peer = peers.numbered(request.calling)
        elif not peers.has_called(request.called):
            return CALLED_UNKNOWN
        else:
            peer = peers.find(request.called, request.calling, self.address)
        if peer is None:
            return CALLING_UNKNOWN
        self._peer, self._berth = peer, self._harbour.berth(peer)
        return peer

    # ------------------------------------------------------------------------------------------ messages

    def _take(self, fragment: Fragment) -> None:
        """Take the next fragment of a message."""
        if fragment.context_id not in self._contexts:
            raise PeerMisbehaves
        if fragment.is_command:
            self._take_command(fragment)
        elif self._message is None or fragment.context_id != self._message.context_id:
            raise PeerMisbehaves
        else:
            self._take_data(self._message, fragment)

    def _take_command(self, fragment: Fragment) -> None:
        if self._message is not None or len(self._command) + len(fragment.data) > command_set.LONGEST:
            raise PeerMisbehaves
        self._command += fragment.data
        if fragment.is_last:
            command = command_set.decode(bytes(self._command))
            self._command.clear()
            self._begin(fragment.context_id, command)

    def _begin(self, context_id: int, command: CommandSet) -> None:
        """Begin a message whose command set is complete; without a dataset it is answered at once."""
        has_data = command_set.number(command, Field.COMMAND_DATA_SET_TYPE) != command_set.NO_DATA_SET
        message = Message(context_id, command)
        if has_data:
            message.incoming = self._incoming(message)
            message.is_kept = self._contexts[context_id].abstract_syntax in SERVICES
            self._message = message
        else:
            self._answer(message)

    def _incoming(self, message: Message) -> Incoming | None:
        """Return where an image goes; None for another message, whose dataset is read and forgotten."""
        command, context = message.command, self._contexts[message.context_id]
        if command_set.number(command, Field.COMMAND_FIELD) != Command.C_STORE:
            return None
        sop_class = command_set.uid(command, Field.AFFECTED_SOP_CLASS_UID)
        sop_instance = command_set.uid(command, Field.AFFECTED_SOP_INSTANCE_UID)
        if not (command_set.is_uid(sop_instance) and sop_class == context.abstract_syntax.encode()):
            return None
        if not is_storage(context.abstract_syntax):
            return None
        zone, free_space = self._berth.zone, self._berth.free_space
        return Incoming(zone, free_space, self._harbour.terms, sop_class, sop_instance, context.transfer_syntax)

    def _take_data(self, message: Message, fragment: Fragment) -> None:
        if message.incoming:
            message.incoming.write(fragment.data)
            if message.incoming.is_dripping():
                raise PeerGone
        elif message.is_kept:
            message.data += fragment.data
            if len(message.data) > commitment.LONGEST_REQUEST:
                raise PeerMisbehaves
        if fragment.is_last:
            self._message = None
            self._answer(message)

    def _answer(self, message: Message) -> None:
        """Answer a complete message."""
        field = command_set.number(message.command, Field.COMMAND_FIELD)
        if field & command_set.RESPONSE:
            self._take_response(message)
        elif field == Command.N_ACTION:
            self._commit(message)
        elif (field, self._contexts[message.context_id].abstract_syntax) in notices.SERVED:
            self._take_notice(message)
        elif field != Command.C_CANCEL:
            self._respond(message, self._status(message, field))

    def _respond(self, message: Message, status: int) -> None:
        response = command_set.response(message.command, status)
        self._send(data_pdus(message.context_id, response, True, self._longest_pdu))

    def _status(self, message: Message, field: int) -> int:
        """Do what a message asks, and return the status to answer."""
        abstract_syntax = self._contexts[message.context_id].abstract_syntax
        if field == Command.C_ECHO:
            return SUCCESS if abstract_syntax == VERIFICATION else SOP_CLASS_NOT_SUPPORTED
        if field != Command.C_STORE:
            return UNRECOGNIZED_OPERATION
        if message.incoming is None:
            return StoreStatus.INVALID_ARGUMENT if is_storage(abstract_syntax) else SOP_CLASS_NOT_SUPPORTED
        status = message.incoming.keep(self.number)
        self._images += status is StoreStatus.SUCCESS
        return status

    def _take_notice(self, message: Message) -> None:
        """Note which images a notice names; whether they are here is looked at whenever studies are handed over."""
        context = self._contexts[message.context_id]
        ds = commitment.decode_dataset(bytes(message.data), context.transfer_syntax)
        names = notices.named_by(ds, context.abstract_syntax)
        if names:
            self._berth.zone.expect(names)
        self._respond(message, SUCCESS)

    # ------------------------------------------------------------------------------------------ storage commitment

    def _commit(self, message: Message) -> None:
        """Answer a request for commitment, and send its result at once; a lost result is sent again later."""
        context = self._contexts[message.context_id]
        request: CommitmentRequest | None = None
        status: int = commitment.refusal(message.command, context.abstract_syntax)
        if status == SUCCESS:
            ds = commitment.decode_dataset(bytes(message.data), context.transfer_syntax)
            try:
                if commitment.has_too_many(self._peer.name):
                    status = ActionStatus.RESOURCE_LIMITATION
                else:
                    request = commitment.keep_request(self._peer.name, ds)
                    status = SUCCESS if request else ActionStatus.INVALID_ARGUMENT
            except database.AWAY:
                status = ActionStatus.PROCESSING_FAILURE
        self._respond(message, status)
        if request:
            self._report(message.context_id, request)

    def _report(self, context_id: int, request: CommitmentRequest) -> None:
        """Send the result of a request on this association."""
        try:
            report = self._harbour.assess(request, self._peer, self.number)
        except (OSError, *database.AWAY):
            return  # it is due, and will be tried again
        message_id = next(self._message_ids) % 65536
        self._pending[message_id] = request
        command = commitment.report_command(message_id, report)
        dataset = commitment.encoded(report, self._contexts[context_id].transfer_syntax)
        self._send(
            data_pdus(context_id, command, True, self._longest_pdu)
            + data_pdus(context_id, dataset, False, self._longest_pdu)
        )

    def _report_again(self) -> None:
        """Send the results that this peer has not confirmed yet."""
        for context_id, context in self._contexts.items():
            if context.abstract_syntax == STORAGE_COMMITMENT:
                with suppress(*database.AWAY):
                    for request in commitment.oldest_of(self._peer.name):
                        self._report(context_id, request)
                return

    def _take_response(self, message: Message) -> None:
        """Take the peer's answer to a report of ours."""
        request = self._pending.pop(command_set.number(message.command, Field.MESSAGE_ID_BEING_RESPONDED_TO), None)
        if request and command_set.number(message.command, Field.STATUS) == SUCCESS:
            with suppress(*database.AWAY):
                commitment.forget(request)
                events.log("listener.committed", peer=self._peer.name, images=len(request.instances))
