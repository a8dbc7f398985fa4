"""Calls of `tag` in statements for BigQuery: which are expanded, which are text, and which are refused."""

from __future__ import annotations

import pytest

from sendit.adapters.bigquery.tag_calls import expanded
from sendit.errors import Misconfigured

THICKNESS = (
    """NULLIF(COALESCE(JSON_VALUE({0}, '$."00180050".Value[0].Alphabetic'), """
    """JSON_VALUE({0}, '$."00180050".Value[0]'), ''), '')"""
)


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("tag_number(header, 'SliceThickness')", f"SAFE_CAST({THICKNESS.format('header')} AS FLOAT64)"),
        ('TAG_NUMBER ( i.header , "SliceThickness" )', f"SAFE_CAST({THICKNESS.format('i.header')} AS FLOAT64)"),
        ("tag(f(a, b), 'SliceThickness[1]')", THICKNESS.format("f(a, b)")),
        ("tag_date(h, '00180050')", f"SAFE.PARSE_DATE('%Y%m%d', LEFT({THICKNESS.format('h')}, 8))"),
    ],
)
def test_a_call_gives_way_to_what_it_stands_for(sql: str, found: str) -> None:
    assert expanded(f"SELECT {sql} FROM instance AS i") == f"SELECT {found} FROM instance AS i"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'tag(x)' AS said",
        "SELECT 1 -- tag(header, 'Wrong')",
        "SELECT 1 /* tag( */",
        "SELECT `tag(x)`, montage(1), tags, x.tag(y)",
        "SELECT 'it''s tag(', \"tag(\"",
        "",
    ],
)
def test_what_is_no_call_stays(sql: str) -> None:
    assert expanded(sql) == sql


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT tag(header, 'SliceThicknes')", "did you mean SliceThickness?"),
        ("SELECT tag_number(header, 'A'), tag(header, 'StudyDate')", "A is not a keyword"),
        ("SELECT tag(header, keyword) FROM words", "written in the call"),
        ("SELECT tag(header)", "written in the call"),
        ("SELECT tag(header, 'StudyDate'", "written in the call"),
        ("SELECT tag(header, 'x', 'StudyDate')", "written in the call"),
    ],
)
def test_a_wrong_call_is_an_error(sql: str, said: str) -> None:
    with pytest.raises(Misconfigured, match="BadQuery") as caught:
        expanded(sql)
    assert said in str(caught.value)
