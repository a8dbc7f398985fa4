"""The settings file, `sendit.toml`: where it is looked for, and what it says, as the environment would say it.

Whoever can write to the file decides where studies go, so one in the current folder counts only if both are the user's
own. The environment wins over the file.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sendit.errors import Misconfigured, suggestion
from sendit.projects.site import CONFIG, SETTINGS, VARIABLES, Setting, Site, variable

NAME = "sendit.toml"
SYSTEM = Path("/etc/sendit")
NAMED = re.compile(r"[\w-]+")
"""The name of a shipped recipe; what has another form may be a path."""


@dataclass(frozen=True, slots=True)
class Found:
    """The settings file, if there is one, and where it was looked for."""

    file: Path | None
    looked: tuple[str, ...]

    def __str__(self) -> str:
        return f"settings from {self.file}" if self.file else f"no {NAME} in {', '.join(self.looked)}"


def find(environ: Mapping[str, str], here: Path) -> Found:
    """Return the settings file: SENDIT_CONFIG, or else the first `sendit.toml` of the folders that may have one."""
    if named := environ.get(CONFIG):
        return Found(here / named, (CONFIG,))
    looked = []
    var = environ.get("SENDIT_VAR")
    for folder in (*([here / var] if var else []), SYSTEM):
        if (folder / NAME).is_file():
            return Found(folder / NAME, (str(folder),))
        looked.append(str(folder))
    if not (here / NAME).is_file():
        return Found(None, (*looked, str(here)))
    if _is_own(here) and _is_own(here / NAME):
        return Found(here / NAME, (str(here),))
    return Found(None, (*looked, f"{here}, whose {NAME} does not count, because others may write to it"))


def _is_own(path: Path) -> bool:
    """Whether a file or folder belongs to the user and not everybody may write to it."""
    try:
        found = path.stat()
    except OSError:
        return False
    return found.st_uid == os.geteuid() and not found.st_mode & stat.S_IWOTH


def load(environ: Mapping[str, str], found: Found) -> Site:
    """Return the settings of the environment and, for what it leaves open, of the file.

    Raises
    ------
    Misconfigured
        `UnknownSetting`: a variable or a key belongs to no setting. `BadSetting`: a value is invalid.
    """
    texts = _defaults(found.file) | read(found.file) if found.file else {}
    said = {name for name in SETTINGS if {variable(name), f"{variable(name)}_FILE"} & environ.keys()}
    kept = {name: text for name, text in texts.items() if VARIABLES[name] not in said}
    return Site.from_environment(kept | dict(environ))


def _defaults(file: Path) -> dict[str, str]:
    """What a folder is that nobody names: below the settings file, wherever a command is started."""
    return {variable(name): str(file.parent / SETTINGS[name].default) for name in ("VAR", "DATA_BASE")}


def read(file: Path) -> dict[str, str]:
    """Return what a settings file says, by environment variables. Relative paths are below the file's folder."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise Misconfigured("BadSetting", subject=f"{file}: a file that can be read") from None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line \d+", str(error))
        raise Misconfigured("BadSetting", subject=f"{file}: TOML{f', see {line[0]}' if line else ''}") from None
    return dict(_said(key, value, file) for key, value in content.items())


def _said(key: str, value: object, file: Path) -> tuple[str, str]:
    """The environment variable that says what a key of the file says, and its text."""
    of_file = key.removesuffix("_file")
    if key.endswith("_file") and key.islower() and of_file.upper() in SETTINGS and SETTINGS[of_file.upper()].is_secret:
        if not isinstance(value, str):
            raise Misconfigured("BadSetting", subject=f"{file}: {key}: a file")
        return f"{variable(of_file.upper())}_FILE", str(file.parent / value)
    entry = SETTINGS.get(key.upper()) if key == key.lower() else None
    if entry is None:
        raise Misconfigured("UnknownSetting", subject=f"{file}: {key}{suggestion(key, _keys())}")
    if entry.is_secret:
        raise Misconfigured(
            "BadSetting", subject=f"{file}: {key}: only as {key}_file, the name of a file that holds it"
        )
    text = text_of(value, entry)
    if text is None:
        raise Misconfigured("BadSetting", subject=f"{file}: {key}: {entry.form}")
    return variable(key.upper()), below(file.parent, key.upper(), entry, text)


def _keys() -> list[str]:
    return [f"{name.lower()}_file" if entry.is_secret else name.lower() for name, entry in SETTINGS.items()]


def text_of(value: Any, entry: Setting) -> str | None:
    """A value as the environment would have it; None for one of a type that the setting does not have."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower() if isinstance(entry.default, bool) else None
    if isinstance(value, int | float):
        is_number = isinstance(entry.default, int | float) and not isinstance(entry.default, bool)
        return str(value) if is_number else None
    if isinstance(value, list) and isinstance(entry.default, tuple):
        return ",".join(value) if all(isinstance(one, str) and "," not in one for one in value) else None
    return None


def below(folder: Path, name: str, entry: Setting, text: str) -> str:
    """The text of a setting that names a file or a folder, with relative paths below the settings file's folder."""
    if not text.strip():
        return text
    if entry.is_path:
        return str(folder / text)
    if name == "STUDY_DEID":
        return ",".join(_recipe(folder, part.strip()) for part in text.split(","))
    return text


def _recipe(folder: Path, name: str) -> str:
    return str(folder / name) if not NAMED.fullmatch(name) and (folder / name).is_file() else name
