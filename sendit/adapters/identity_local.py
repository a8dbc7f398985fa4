"""The local identity service: pseudonyms and date shifts from one secret key, without a server or a table."""

from __future__ import annotations

import base64
import hmac
from datetime import datetime, timedelta

from sendit.errors import Misconfigured, ServiceRefused
from sendit.phi import Phi
from sendit.ports import IdentityItem, IdentityRequest, IdentityResponse, Pseudonym

ALGORITHM = "sendit-identity-1"
SUID_CHARACTERS = 16
"""The longest value that Accession Number (VR SH, PS3.5 6.2) can hold; it carries 80 bits."""
LEAST_KEY_BYTES = 16


class LocalIdentityService:
    """Gives the same answers as the identity service that sendit serves, so a site can move from one to the other.

    The algorithm is `sendit-identity-1`. Text is encoded as UTF-8; surrogate escapes become the bytes that they stand
    for. For a purpose and parts,

        keyed(purpose, part, ...) = HMAC-SHA256(key, field(ALGORITHM) + field(purpose) + field(part) + ...)
        field(text) = length of the text's bytes as 4 bytes, big-endian + the bytes

    where the parts are always study, id source and id, in this order, normalised as follows:

    - study: without surrounding white space, in lower case;
    - id source: unchanged;
    - a patient's id: without any `-`, then without surrounding white space;
    - a study's id: without surrounding white space.

    A patient's `suid` is the first 16 characters of keyed("entity", ...) in base 32 (RFC 4648, alphabet a–z 2–7) in
    lower case, a study's those of keyed("item", ...). The date shift is keyed("date shift", ...) of the patient's parts
    as a big-endian number n modulo 2 × max_shift_days; n − max_shift_days where that is negative, else one more: from
    −max_shift_days to max_shift_days, never 0. A study has its patient's shift, so that intervals are kept. A timestamp
    (ISO 8601) is moved by so many days; clock time and offset stay.

    Among 10^8 ids the probability that any two share a suid is 4 in 10^9 (n² / 2^81).

    The answers are permanent: another key, another `max_shift_days` or another algorithm gives other pseudonyms. A
    later algorithm would get another name and be chosen explicitly; it would never replace this one.

    Parameters
    ----------
    key : bytes
        At least 16 secret bytes; one key per site.
    max_shift_days : int
        Dates are shifted by 1 to this many days, in either direction.
    """

    def __init__(self, key: bytes, max_shift_days: int) -> None:
        if len(key) < LEAST_KEY_BYTES:
            raise Misconfigured("BadKey", subject="pseudonym.key")
        if max_shift_days < 1:
            raise Misconfigured("BadSetting", subject="SENDIT_MAX_DATE_SHIFT_DAYS: a number of days")
        self._key, self._max_shift_days = key, max_shift_days

    def __repr__(self) -> str:
        return "LocalIdentityService(…)"

    def identify(self, request: IdentityRequest) -> IdentityResponse:
        """Return pseudonyms for one patient and their studies.

        Raises
        ------
        ServiceRefused
            `BadIdentityRequest`: a blank study or id, or an invalid timestamp.
        """
        entity_id = request.id.reveal().replace("-", "")
        shift_days = self._shift_days(request.study, request.id_source, entity_id)
        suid = self._suid("entity", request.study, request.id_source, entity_id)
        entity = Pseudonym(suid, shift_days, _shifted(request.timestamp, shift_days))
        return IdentityResponse(entity, tuple(self._item(request.study, item, shift_days) for item in request.items))

    def _item(self, study: str, item: IdentityItem, shift_days: int) -> Pseudonym:
        suid = self._suid("item", study, item.id_source, item.id.reveal())
        return Pseudonym(suid, shift_days, _shifted(item.timestamp, shift_days))

    def _suid(self, purpose: str, study: str, id_source: str, identifier: str) -> str:
        digest = self._keyed(purpose, study, id_source, identifier)
        return base64.b32encode(digest).decode()[:SUID_CHARACTERS].lower()

    def _shift_days(self, study: str, id_source: str, identifier: str) -> int:
        number = int.from_bytes(self._keyed("date shift", study, id_source, identifier), "big")
        shift = number % (2 * self._max_shift_days) - self._max_shift_days
        return shift if shift < 0 else shift + 1

    def _keyed(self, purpose: str, study: str, id_source: str, identifier: str) -> bytes:
        study, identifier = study.strip().lower(), identifier.strip()
        if not study or not identifier:
            raise ServiceRefused("BadIdentityRequest")
        message = b"".join(map(_field, (ALGORITHM, purpose, study, id_source, identifier)))
        return hmac.digest(self._key, message, "sha256")


def _field(text: str) -> bytes:
    encoded = text.encode("utf-8", "surrogateescape")
    return len(encoded).to_bytes(4, "big") + encoded


def _shifted(timestamp: Phi[str] | None, days: int) -> str | None:
    """Shift the instant. Returns None without one, or where the result leaves the calendar (as year 1 may)."""
    if timestamp is None:
        return None
    try:
        moved = datetime.fromisoformat(timestamp.reveal()) + timedelta(days=days)
    except ValueError:
        raise ServiceRefused("BadIdentityRequest") from None
    except OverflowError:
        return None
    return moved.isoformat().replace("+00:00", "Z")
