"""Dates in texts: which are found, how they are shifted, and which cannot be."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sendit.deid.identifiers.dates.written_dates import written_dates
from sendit.deid.identifiers.descriptors import Cleaner


def shifted(text: str, days: int = 1) -> str | None:
    """The first date of a text, shifted; "-" where there is none."""
    found = sorted(written_dates(text), key=lambda one: (one.start, -one.end))
    return found[0].shifted(days) if found else "-"


@pytest.mark.parametrize(
    ("text", "next_day"),
    [
        ("20200131", "20200201"),
        ("2020-01-31", "2020-02-01"),
        ("2020.01.31", "2020.02.01"),
        ("2020/01/31", "2020/02/01"),
        ("2020/1/31", "2020/2/01"),
        ("2020-1-31", "2020-2-01"),
        ("2020 01 31", "2020 02 01"),
        ("2020_01_31", "2020_02_01"),
        ("20200131120000", "20200201120000"),
        ("20200131T1200", "20200201T1200"),
        ("31.01.2020", "01.02.2020"),
        ("31.1.2020", "1.2.2020"),
        ("1/31/2020", "2/1/2020"),
        ("01/31/2020", "02/01/2020"),
        ("31/01/2020", "01/02/2020"),
        ("31-01-2020", "01-02-2020"),
        ("05/05/2020", "05/06/2020"),
        ("31 Jan 2020", "01 Feb 2020"),
        ("31JAN2020", "01FEB2020"),
        ("31-jan-2020", "01-feb-2020"),
        ("31st of January 2020", "01 of February 2020"),
        ("January 31, 2020", "February 01, 2020"),
        ("Jan 31st 2020", "Feb 01 2020"),
        ("31. Januar 2020", "01. Februar 2020"),
        ("31. März 2020", "01. April 2020"),
        ("31 janvier 2020", "01 fevrier 2020"),
        ("31 de enero de 2020", "01 de febrero de 2020"),
        ("31 gennaio 2020", "01 febbraio 2020"),
        ("31 oktober 2020", "01 november 2020"),
        ("31 stycznia 2020", "01 lutego 2020"),
        ("31. ledna 2020", "01. unora 2020"),
        ("31 ocak 2020", "01 subat 2020"),
        ("31 января 2020", "01 февраля 2020"),
        ("31 Ιανουαρίου 2020", "01 Φεβρουαριου 2020"),
        ("31.I.2020", "01.II.2020"),
        ("31 XII 2019", "01 I 2020"),
        ("2020 Jan 31", "2020 Feb 01"),
        ("2020-JAN-31", "2020-FEB-01"),
        ("2020Jan31", "2020Feb01"),
        ("2020, January 31st", "2020, February 01"),
    ],
)
def test_a_date_is_shifted_the_way_it_is_written(text: str, next_day: str) -> None:
    assert shifted(text) == next_day
    assert shifted(f"seen {text}, again") == next_day


@pytest.mark.parametrize(
    "text",
    [
        "03/04/2020",
        "3/4/20",
        "31.01.20",
        "1/31/20",
        "31-Jan-20",
        "31 January",
        "31 Jan",
        "January 31",
        "Jan 31st",
        "Jan 31",
        "JUL 4, 14:30",
        "Mar 3rd",
        "2020 Feb 31",
        "Jan 2020",
        "01/2020",
        "2020-01",
        "January 2020",
        *("31.01.", "on 3/14", "01/31", "vom 3.4.", "99/06/15", "31-VII-20"),
        *("Jun '11", "June ’11", "Jun-11", "Mar-10", "Jun11", "3/2011-5/2011"),
        *("2011-W24-5", "2011W245", "week 24 of 2011", "KW24/11", "24. KW 2011", "2011-165", "day 165 of 2011", "2Q11"),
        *(
            "令和2年1月31日",
            "昭和30年",
            "2020年1月31日",
            "1月31日",
            "2020년 1월 31일",
            "R2.1.31",
            "S30.02.03",
            "Reiwa 2.1.31",
        ),
        *("31/01/2563", "2563-01-31", "พ.ศ. 2563", "31 ม.ค. 2563", "31 Jan 2563", "B.E. 2563"),
        "31.02.2020",
        "2020.1.31",
        "2020/31/1",
        "20200230",
    ],
)
def test_a_date_that_is_not_understood_is_found_and_not_shifted(text: str) -> None:
    assert shifted(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *("12-15 March 2011", "12.-15.03.2011", "12/03-15/03/2011", "12.03.-15.03.2011", "March 12-15, 2011"),
        *("12 to 15 March 2011", "12. bis 15. März 2011", "12 au 15 mars 2011", "2011-03-12/15", "Jan-Mar 2011"),
        *("January to March 2011", "Feb 28-Mar 3, 2011", "13 and 15 March 2011"),
    ],
)
def test_of_several_days_with_one_year_nothing_stays(text: str) -> None:
    assert Cleaner((), 1).clean(f"chest {text} again") == "chest again"


def test_both_ends_of_a_range_of_whole_dates_are_shifted() -> None:
    assert Cleaner((), 1).clean("20110312-20110315") == "20110313-20110316"
    assert Cleaner((), 1).clean("31 Jan 2011 - 28 Feb 2011") == "01 Feb 2011 - 01 Mar 2011"


@pytest.mark.parametrize(
    "text",
    [
        *("TE 30/60/90", "TE 10/20/30", "b0-1000", "2000-300", "MAR-10", "AX T1 3/4", "visit 2/4", "10/20", "TE 12/24"),
        *(
            "31/32",
            "1.5.",
            "am 3.4 mm",
            "series 12 and 15",
            "week 24",
            "OCT 10",
            "lip 7 mm",
            "T12.1",
            "R2.1",
            "5.10.12",
        ),
        "",
        "no digits",
        "3.0T",
        "b1000",
        "1.5.10",
        "T1/T2",
        "120 kV",
        "512x512",
        "3 mar 1mm",
        "1/2/3",
        "L4/L5",
        "0.5/0.7/12",
        "10 14 18",
        "99999999",
        "1.2.840.10008.1.2",
        "12 mayor",
        "2020",
        "5-6 mm",
        "MAR 10",
        "may 20 mg",
        "jan 3.5",
    ],
)
def test_other_numbers_are_no_dates(text: str) -> None:
    assert shifted(text) == "-"


def test_a_date_beyond_the_calendar_is_not_shifted() -> None:
    assert shifted("31.12.2099", 10**9) is None


FORMS = ("%Y%m%d", "%Y-%m-%d", "%d.%m.%Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y", "%d%b%Y")


@given(st.dates(date(1850, 1, 1), date(2090, 1, 1)), st.integers(-3000, 3000), st.sampled_from(FORMS))
def test_any_date_is_shifted_by_whole_days(day: date, days: int, form: str) -> None:
    assume(day.month != 5 or "%B" not in form)  # May is as long as the short names are
    (there,) = {one.shifted(days) for one in written_dates(day.strftime(form)) if one.day == day}
    assert there == (day + timedelta(days=days)).strftime(form)
