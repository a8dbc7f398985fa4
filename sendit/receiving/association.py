"""One association, from its request to its end: which message comes next, and who answers it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from sendit.ground import events
from sendit.receiving import command_set
from sendit.receiving.command_set import Command, CommandSet, Field
from sendit.receiving.negotiation import (
    CALLED_UNKNOWN,
    CALLING_UNKNOWN,
    VERIFICATION,
    Context,
    Rejection,
    Request,
    accept,
    decode_request,
    is_storage,
    reject,
)
from sendit.receiving.pdus import (
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
from sendit.receiving.peers import Peer, Peers
from sendit.receiving.storing import FreeSpace, Incoming, StoreStatus
from sendit.receiving.terms import Terms
from sendit.receiving.zone import Zone

REQUEST_SECONDS = 30.0
"""An A-ASSOCIATE-RQ must be there as a whole by then (the ARTIM timer of PS3.8 section 9.1.5)."""
SEND_SECONDS = 60.0
"""How long a peer may take to receive what we send."""

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
    is_with_data: bool = False


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
        self._sending = threading.Lock()

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
            self._socket.shutdown(socket.SHUT_RD)

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
        with suppress(OSError), self._sending:
            self._socket.settimeout(SEND_SECONDS)
            self._socket.sendall(data)

    # ------------------------------------------------------------------------------------------ PDUs

    def _serve(self) -> str:
        """Serve until the end, and return a word for how it came."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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
        return True

    def _admit(self, request: Request) -> Peer | Rejection:
        if not self._harbour.peers.has_called(request.called):
            return CALLED_UNKNOWN
        peer = self._harbour.peers.find(request.called, request.calling, self.address)
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
        message = Message(context_id, command, is_with_data=has_data)
        if has_data:
            message.incoming = self._incoming(message)
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
        if fragment.is_last:
            self._message = None
            self._answer(message)

    def _answer(self, message: Message) -> None:
        """Answer a complete message."""
        status = self._status(message)
        if status is not None:
            response = command_set.response(message.command, status)
            self._send(data_pdus(message.context_id, response, True, self._longest_pdu))

    def _status(self, message: Message) -> int | None:
        """Do what a message asks, and return the status to answer; None for a message without an answer."""
        field = command_set.number(message.command, Field.COMMAND_FIELD)
        if field == Command.C_CANCEL or field & command_set.RESPONSE:
            return None
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
