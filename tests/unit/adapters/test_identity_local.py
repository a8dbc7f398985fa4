"""The local identity service: its algorithm, held by values that may never change."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import pytest

from sendit.adapters.identity_local import LocalIdentityService
from sendit.errors import Misconfigured, ServiceRefused
from sendit.phi import Phi
from sendit.ports import IdentityItem, IdentityRequest, IdentityResponse, Pseudonym

KEY = bytes(range(32))


def service(key: bytes = KEY, days: int = 365) -> LocalIdentityService:
    return LocalIdentityService(key, days)


def asked(
    patient: str, accession: str = "1", study: str = "irb12345", source: str = "Stanford MRN", at: str | None = None
) -> IdentityRequest:
    item = IdentityItem(Phi(accession), "DCM Accession #", at and Phi(at))
    return IdentityRequest(study, Phi(patient), source, at and Phi(at), (item,))


def answer(patient: str, **more: str) -> IdentityResponse:
    return service().identify(asked(patient, **more))


def test_the_answers_never_change() -> None:
    """A pseudonym that changed would tear a patient's studies apart: mend the code, not these values."""
    assert answer("0001112", accession="0002223", at="1961-07-27T00:00:00Z") == IdentityResponse(
        Pseudonym("5l3le3wqmy2ig5ea", -79, "1961-05-09T00:00:00Z"),
        (Pseudonym("scm5qtotjkbql5la", -79, "1961-05-09T00:00:00Z"),),
    )
    assert answer("Ä-1 ", study="IRB9", source="", accession="ü").items[0].suid == "sasmx4lh67f55ery"
    assert LocalIdentityService(KEY, 1).identify(asked("7")).entity.jitter == 1


def test_the_docstring_is_enough_to_make_it_again() -> None:
    def keyed(purpose: str, *parts: str) -> bytes:
        encoded = [text.encode() for text in ("sendit-identity-1", purpose, *parts)]
        message = b"".join(len(text).to_bytes(4, "big") + text for text in encoded)
        return hmac.new(KEY, message, hashlib.sha256).digest()

    def suid(digest: bytes) -> str:
        return base64.b32encode(digest)[:16].decode().lower()

    patient, study = ("irb12345", "Stanford MRN", "0001112"), ("irb12345", "DCM Accession #", "0002223")
    number = int.from_bytes(keyed("date shift", *patient), "big") % 730 - 365
    found = answer(" 000-1112 ", accession=" 0002223 ", study=" IRB12345 ")
    assert (found.entity.suid, found.items[0].suid) == (suid(keyed("entity", *patient)), suid(keyed("item", *study)))
    assert found.entity.jitter == found.items[0].jitter == (number if number < 0 else number + 1)


def test_another_key_gives_other_answers() -> None:
    mine, theirs = answer("1"), service(KEY[::-1]).identify(asked("1"))
    assert mine.entity.suid != theirs.entity.suid and mine.items[0].suid != theirs.items[0].suid


def test_parts_cannot_be_pushed_into_each_other() -> None:
    requests = [
        asked("23", source="1"),
        asked("3", source="12"),
        asked("123", source=""),
        asked("3", study="irb123452", source="1"),
    ]
    assert len({service().identify(each).entity.suid for each in requests}) == len(requests)


def test_a_studys_hyphens_mean_something() -> None:
    assert answer("1", accession="1-2").items[0].suid != answer("1", accession="12").items[0].suid


def test_an_id_source_means_something() -> None:
    assert answer("1", source="SHC MRN").entity != answer("1").entity


def test_pseudonyms_are_of_one_form() -> None:
    suids = {answer(str(number)).entity.suid for number in range(2_000)}
    assert len(suids) == 2_000
    assert all(re.fullmatch("[a-z2-7]{16}", suid) for suid in suids)


@pytest.mark.parametrize("days", [1, 2, 30])
def test_every_shift_but_none_occurs_within_the_bounds(days: int) -> None:
    shifts = {service(days=days).identify(asked(str(number))).entity.jitter for number in range(days * 200)}
    assert shifts == set(range(-days, days + 1)) - {0}


@pytest.mark.parametrize(
    "moment, form",
    [
        ("2010-02-04T00:00:00Z", r"\d{4}-\d\d-\d\dT00:00:00Z"),
        ("2010-02-04T11:50:01.250000Z", r"\d{4}-\d\d-\d\dT11:50:01\.250000Z"),
        ("2010-02-04T11:50:00-0800", r"\d{4}-\d\d-\d\dT11:50:00-08:00"),
        ("2010-02-04", r"\d{4}-\d\d-\d\dT00:00:00"),
    ],
)
def test_clock_time_and_offset_stay(moment: str, form: str) -> None:
    assert re.fullmatch(form, answer("1", at=moment).entity.timestamp or "")


def test_a_placeholder_that_would_leave_the_calendar_has_no_shifted_date() -> None:
    for number in range(20):
        found = answer(str(number), at="0001-01-01T00:00:00Z").entity
        assert (found.timestamp is None) == (found.jitter < 0)


@pytest.mark.parametrize("moment", ["", "yesterday", "20100230", "2010-02-04T25:00:00Z"])
def test_a_timestamp_that_is_none_is_refused_and_not_said(moment: str) -> None:
    with pytest.raises(ServiceRefused, match="BadIdentityRequest") as caught:
        service().identify(IdentityRequest("irb1", Phi("1"), "Stanford MRN", Phi(moment)))
    assert not moment or moment not in str(caught.value)


@pytest.mark.parametrize("request_", [asked("1", study=" "), asked("--"), asked("1", accession="\t")])
def test_nothing_blank_gets_a_pseudonym(request_: IdentityRequest) -> None:
    with pytest.raises(ServiceRefused, match="BadIdentityRequest"):
        service().identify(request_)


def test_ids_that_are_no_utf_8_have_pseudonyms_of_their_own() -> None:
    assert answer("\udcff").entity.suid != answer("\udcfe").entity.suid


@pytest.mark.parametrize("key, days, code", [(b"short", 365, "BadKey"), (KEY, 0, "BadSetting")])
def test_a_service_that_could_not_protect_is_not_made(key: bytes, days: int, code: str) -> None:
    with pytest.raises(Misconfigured, match=code):
        LocalIdentityService(key, days)


def test_the_key_is_not_shown() -> None:
    assert repr(service()) == "LocalIdentityService(…)"
