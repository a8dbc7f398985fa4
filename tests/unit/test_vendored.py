"""What is vendored is what was released, and little: the hashes stand in the decision that chose it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "sendit" / "web" / "static"
VENDORED = sorted(path for path in (STATIC / "vendor").iterdir() if path.suffix in (".js", ".css"))


@pytest.mark.parametrize("path", VENDORED, ids=lambda path: path.name)
def test_a_vendored_file_has_its_hash_and_its_licence(path: Path) -> None:
    page = (ROOT / "docs" / "decisions" / "0023-the-pages.md").read_text()
    (digest,) = re.findall(rf"^\| `{re.escape(path.name)}` \|.*`([0-9a-f]{{64}})` \|$", page, re.M)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    (version,) = re.findall(r"^(\w+-[\d.]+\d)", path.name)
    assert (STATIC / "vendor" / f"{version}.LICENSE").is_file()


def test_all_scripts_together_are_small() -> None:
    assert sum(path.stat().st_size for path in STATIC.rglob("*.js")) <= 150_000


def test_no_template_has_an_inline_script_or_style_or_another_host() -> None:
    for path in (ROOT / "sendit" / "web" / "templates").rglob("*.html"):
        text = path.read_text()
        assert not re.search(
            r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son(?!e=)\w+=|https?://(?!www\.w3\.org)", text
        ), path.name
