"""Names of study folders, whatever a peer sends."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from sendit.pipeline.intake.folders import is_finished
from sendit.receiving.landings.names import folder_name, late_name, temporary_name

ACCESSIONS = st.binary(max_size=400) | st.sampled_from(
    [b"..", b".", b"a.tmp", b"x.ERR", b"/", b"\0", b"  ", b".tmp.err"]
)


@given(ACCESSIONS)
def test_a_name_is_a_finished_folder_in_its_place_and_nothing_else(untrusted: bytes) -> None:
    name = folder_name(untrusted)
    if not untrusted.strip(b" \0"):
        assert name == ""
        return
    assert os.path.basename(name) == name and name not in (".", "..") and name.isascii() and name.isprintable()
    assert len(name) <= 110 and is_finished(name) and is_finished(late_name(name, 3))
    assert not is_finished(temporary_name(name)) and len(temporary_name(name)) <= 255


@given(st.binary(min_size=1, max_size=150), st.binary(min_size=1, max_size=150))
def test_two_accession_numbers_never_share_a_name(one: bytes, other: bytes) -> None:
    is_same = one.strip(b" \0") == other.strip(b" \0")
    assert (folder_name(one) == folder_name(other)) == is_same
