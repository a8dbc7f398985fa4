"""The peers file."""

from __future__ import annotations

from pathlib import Path

import pytest

from sendit.errors import Misconfigured
from sendit.receiving.peers import Endpoint, Peer, WebService, load_peers

WHOLE = """
[peers.ct1]
called = "SENDIT"
calling = "CT1"
addresses = ["10.1.2.3", "10.1.4.0/24", "2001:db8::/32"]
data_folder = "ct"
answers_at = "10.1.2.3:104"
retrieve_from = "[2001:db8::1]:4242"
"""


def write(folder: Path, text: str) -> Path:
    (folder / "ct").mkdir(exist_ok=True)
    path = folder / "peers.toml"
    path.write_text(text)
    return path


def test_a_peer_is_known_by_titles_and_address(tmp_path: Path) -> None:
    peers = load_peers(write(tmp_path, WHOLE), tmp_path, [tmp_path / "ct"])
    for address in ("10.1.2.3", "10.1.4.200", "2001:db8::5", "::ffff:10.1.2.3"):
        peer = peers.find("SENDIT", "CT1", address)
        assert peer is not None and peer.data_folder == tmp_path / "ct"
    assert peers.find("SENDIT", "CT1", "10.1.2.4") is None
    assert peers.find("SENDIT", "CT2", "10.1.2.3") is None
    assert peers.has_called("SENDIT") and not peers.has_called("OTHER")
    (peer,) = peers.known
    assert (peer.answers_at, peer.retrieve_from) == (Endpoint("10.1.2.3", 104), Endpoint("2001:db8::1", 4242))


def test_an_asterisk_is_any_title_and_the_first_table_counts(tmp_path: Path) -> None:
    anybody = '\n[peers.anybody]\ncalled = "*"\ncalling = "*"\naddresses = ["10.0.0.0/8"]\n'
    peers = load_peers(write(tmp_path, WHOLE + anybody), tmp_path, [tmp_path / "ct"])
    known, other = peers.find("SENDIT", "CT1", "10.1.2.3"), peers.find("WHO", "EVER", "10.9.9.9")
    assert known is not None and known.name == "ct1"
    assert other is not None and other.name == "anybody"
    assert peers.find("WHO", "EVER", "11.0.0.1") is None and peers.has_called("ANYTHING")


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("CT1", "A\\\\B", "ct1: calling"),
        ("CT1", "X" * 17, "ct1: calling"),
        ("SENDIT", "", "ct1: called"),
        ("10.1.2.3", "ct1.example.org", "ct1: addresses"),
        ("10.1.4.0/24", "10.1.4.1/24", "ct1: addresses"),
        ('"ct"', '"mr"', "ct1: data_folder"),
        ('"ct"', '"../ct"', "ct1: data_folder"),
        ("10.1.2.3:104", "10.1.2.3", "ct1: answers_at"),
        (":4242", ":70000", "ct1: retrieve_from"),
        ("[2001:db8::1]:4242", "ftp://pacs/dicom", "ct1: retrieve_from"),
        ("[2001:db8::1]:4242", "https://me:secret@pacs/dicom", "ct1: retrieve_from"),
        ("data_folder", 'retrieve_by = "fetch"\ndata_folder', "ct1: retrieve_by"),
        ("data_folder", 'retrieve_token_file = "/run/token"\ndata_folder', "ct1: retrieve_token_file"),
        ("called", "caled", "ct1: caled is no key"),
        ("[peers.ct1]", "[peer.ct1]", "tables"),
        ("[peers.ct1]", "", "tables"),
        ("[peers.ct1]", "[peers", "not TOML"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(tmp_path: Path, before: str, after: str, named: str) -> None:
    text = WHOLE.replace(before, after, 1)
    with pytest.raises(Misconfigured, match="BadPeers") as refused:
        load_peers(write(tmp_path, text), tmp_path, [tmp_path / "ct"])
    assert named in str(refused.value)


def of_web_service(folder: Path, url: str, token_file: str) -> Peer:
    lines = f'retrieve_from = "{url}"\nretrieve_token_file = "{token_file}"\n'
    text = WHOLE.replace('retrieve_from = "[2001:db8::1]:4242"\n', lines)
    (peer,) = load_peers(write(folder, text), folder, [folder / "ct"]).known
    return peer


def test_a_url_is_a_web_service_with_its_token(tmp_path: Path) -> None:
    peer = of_web_service(tmp_path, "https://pacs.example.org:8443/dicom-web/", "/run/secrets/pacs")
    assert peer.retrieve_from == WebService("https://pacs.example.org:8443/dicom-web", Path("/run/secrets/pacs"))
    assert of_web_service(tmp_path, "http://127.0.0.1:8042/dicom-web", "/run/secrets/pacs")


@pytest.mark.parametrize(
    ("url", "token_file"), [("http://pacs.example.org/dicom-web", "/run/token"), ("https://pacs.example.org", "token")]
)
def test_a_token_goes_over_https_only_and_its_path_is_absolute(tmp_path: Path, url: str, token_file: str) -> None:
    with pytest.raises(Misconfigured, match="BadPeers"):
        of_web_service(tmp_path, url, token_file)


def test_the_only_data_folder_need_not_be_named(tmp_path: Path) -> None:
    text = WHOLE.replace('data_folder = "ct"\n', "")
    (peer,) = load_peers(write(tmp_path, text), tmp_path, [tmp_path / "ct"]).known
    assert peer.data_folder == tmp_path / "ct"
    with pytest.raises(Misconfigured, match="data_folder"):
        load_peers(write(tmp_path, text), tmp_path, [tmp_path / "ct", tmp_path / "mr"])


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        load_peers(tmp_path / "peers.toml", tmp_path, [tmp_path])
