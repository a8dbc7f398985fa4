"""The contract of every IdentityService."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

import pytest

from sendit.errors import ServiceRefused
from sendit.phi import Phi
from sendit.ports import IdentityItem, IdentityRequest, IdentityService


def asked(
    patient: str = "0001112",
    *accessions: str,
    study: str = "irb12345",
    born: str | None = "1961-07-27T00:00:00Z",
    done: str | None = "2010-02-04T00:00:00Z",
) -> IdentityRequest:
    items = tuple(IdentityItem(Phi(each), "DCM Accession #", done and Phi(done)) for each in accessions)
    return IdentityRequest(study, Phi(patient), "Stanford MRN", born and Phi(born), items)


def test_the_same_request_has_the_same_answer(identity_service: IdentityService) -> None:
    assert identity_service.identify(asked("1", "2", "3")) == identity_service.identify(asked("1", "2", "3"))


def test_one_patient_two_studies(identity_service: IdentityService) -> None:
    first, second = (identity_service.identify(asked("1", accession)) for accession in ("2", "3"))
    assert first.entity == second.entity
    assert first.items[0].suid != second.items[0].suid
    assert first.items[0].jitter == second.items[0].jitter == first.entity.jitter


def test_two_patients_have_two_pseudonyms(identity_service: IdentityService) -> None:
    suids = {identity_service.identify(asked(str(number))).entity.suid for number in range(50)}
    assert len(suids) == 50


def test_two_collections_have_two_pseudonyms(identity_service: IdentityService) -> None:
    answers = [identity_service.identify(asked("1", "2", study=study)) for study in ("irb1", "irb2")]
    assert len({answer.entity.suid for answer in answers}) == len({answer.items[0].suid for answer in answers}) == 2


def test_a_patient_and_a_study_of_the_same_number_are_told_apart(identity_service: IdentityService) -> None:
    answer = identity_service.identify(asked("77", "77"))
    assert answer.entity.suid != answer.items[0].suid


def test_hyphens_in_a_patients_id_mean_nothing(identity_service: IdentityService) -> None:
    assert identity_service.identify(asked("000-11-12")) == identity_service.identify(asked("0001112"))


def test_a_pseudonym_fits_where_it_is_written(identity_service: IdentityService) -> None:
    answer = identity_service.identify(asked("1", "2"))
    for pseudonym in (answer.entity, *answer.items):
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,16}", pseudonym.suid)  # Accession Number is SH: 16 characters


def test_a_pseudonym_does_not_show_its_id(identity_service: IdentityService) -> None:
    answer = identity_service.identify(asked("0001112", "2223334"))
    assert "0001112" not in answer.entity.suid and "2223334" not in answer.items[0].suid


def test_items_are_answered_in_order_however_many(identity_service: IdentityService) -> None:
    accessions = [str(number) for number in range(2_100)]
    answer = identity_service.identify(asked("1", *accessions))
    alone = identity_service.identify(asked("1", "1999"))
    assert len(answer.items) == len({item.suid for item in answer.items}) == 2_100
    assert answer.items[1999] == alone.items[0]


def test_timestamps_are_shifted_by_the_whole_days_that_are_said(identity_service: IdentityService) -> None:
    answer = identity_service.identify(asked("1", "2", born="1961-07-27T00:00:00Z", done="2010-02-04T11:50:00Z"))
    assert answer.entity.jitter != 0
    assert day(answer.entity.timestamp) == date(1961, 7, 27) + timedelta(days=answer.entity.jitter)
    assert day(answer.items[0].timestamp) == date(2010, 2, 4) + timedelta(days=answer.items[0].jitter)
    assert "T11:50:00" in (answer.items[0].timestamp or "")


def test_no_timestamp_asked_none_answered(identity_service: IdentityService) -> None:
    answer = identity_service.identify(asked("1", "2", born=None, done=None))
    assert answer.entity.timestamp is answer.items[0].timestamp is None


@pytest.mark.parametrize("request_", [asked(""), asked(" - "), asked("1", ""), asked("1", " ")])
def test_a_blank_id_is_refused(identity_service: IdentityService, request_: IdentityRequest) -> None:
    with pytest.raises(ServiceRefused):
        identity_service.identify(request_)


def day(timestamp: str | None) -> date:
    assert timestamp is not None
    return datetime.fromisoformat(timestamp).date()
