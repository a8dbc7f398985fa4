"""The one place that reads the environment: loud on nonsense; secrets that are made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from sendit import settings
from sendit.errors import Misconfigured
from sendit.settings import SETTINGS, read_settings, secret
from tests.processes import at_once


def test_the_type_checker_is_told_of_every_setting() -> None:
    derived = {"VAR", "DATA_BASE"}
    assert set(settings.__annotations__) - {"SETTINGS"} == set(SETTINGS) - derived


def test_every_default_is_what_its_own_text_means() -> None:
    for name, setting in SETTINGS.items():
        text = ",".join(setting.default) if isinstance(setting.default, tuple) else str(setting.default)
        assert setting.parse(text) == setting.default, name


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("SENDIT_WORKERS", "0"),
        ("SENDIT_WORKERS", "many"),
        ("SENDIT_LEASE_SECONDS", "-1"),
        ("SENDIT_SETTLE_SECONDS", "soon"),
        ("SENDIT_SEND_TO_GOOGLE", "maybe"),
        ("SENDIT_LOG_FORMAT", "xml"),
        ("SENDIT_ORIGINALS", ""),
    ],
)
def test_nonsense_is_said_by_the_variables_name_and_not_by_its_value(variable: str, text: str) -> None:
    with pytest.raises(Misconfigured, match=f"BadSetting.*{variable}") as raised:
        read_settings({variable: text})
    assert not text or f"{text!r}" not in str(raised.value)


def test_a_setting_that_does_not_exist_is_no_setting() -> None:
    with pytest.raises(Misconfigured, match=r"UnknownSetting.*SENDIT_WORKER"):
        read_settings({"SENDIT_WORKER": "2"})


def test_a_secret_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "a.key"
    assert secret(path, lambda: b"first") == secret(path, lambda: b"second") == b"first"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert list(path.parent.iterdir()) == [path]


def test_of_several_who_make_a_secret_at_once_all_have_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    made = at_once(*(lambda number=number: secret(path, lambda: b"%d" % number) for number in range(4)))
    assert len(set(made)) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_secret_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> bytes:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        secret(tmp_path / "a.key", fail)
    assert list(tmp_path.iterdir()) == []
