"""What the identity service is asked (WIRE 1), and what a recipe gets of its answer."""

from __future__ import annotations

import pytest

from sendit.phi import Phi
from sendit.pipeline.stages import identity
from sendit.ports import IdentityResponse, Pseudonym
from sendit.projects.project import default_project
from sendit.projects.site import Site

NAMES = default_project(Site()).identity


@pytest.mark.parametrize(
    ("date", "instant"),
    [
        ("19610727", "1961-07-27T00:00:00Z"),
        (" 19610727 ", "1961-07-27T00:00:00Z"),
        ("1961.07.27", "1961-07-27T00:00:00Z"),
        ("20000229", "2000-02-29T00:00:00Z"),
        ("09990101", "0999-01-01T00:00:00Z"),
        *((wrong, None) for wrong in ("", "19610230", "1961", "196107271", "2003111", "19610727-", "1961-07-27", "x")),
        ("١٩٦١٠٧٢٧", None),
    ],
)
def test_a_date_is_asked_for_as_an_instant_and_nonsense_is_not(date: str, instant: str | None) -> None:
    asked = identity.instant(Phi(date))
    assert (asked.reveal() if asked else None) == instant


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        ("1961-08-01T00:00:00-0700", "19610801"),
        ("2010-02-09T11:50:00.000Z", "20100209"),
        ("2010-02-09", "20100209"),
        (None, ""),
        ("soon", ""),
    ],
)
def test_an_answered_instant_is_text_that_da_can_hold(timestamp: str | None, text: str) -> None:
    assert identity.date_text(Pseudonym("a", 5, timestamp)) == text


def test_the_request_is_that_of_the_wire() -> None:
    request = identity.request_for(NAMES, Phi("1111111"), Phi("2222222"), Phi("19610727"), Phi(""))
    assert (request.study, request.id_source, request.items[0].id_source) == ("test", "Stanford MRN", "DCM Accession #")
    assert request.timestamp == Phi("1961-07-27T00:00:00Z") and request.items[0].timestamp is None
    assert "1111111" not in repr(request) and "2222222" not in repr(request)


def test_the_variables_of_a_recipe() -> None:
    response = IdentityResponse(Pseudonym("12fa", 5, None), (Pseudonym("12fb", -7, "2010-02-09T00:00:00Z"),))
    assert identity.variables(response, NAMES) == {
        "entity_id": "12fa",
        "entity_id_source": "Stanford MRN",
        "entity_timestamp": "",
        "item_id": "12fb",
        "item_id_source": "DCM Accession #",
        "item_timestamp": "20100209",
        "jitter": -7,
    }
