"""The file of a project: read strictly, so that what is misspelled or has another form is refused with its line."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sendit.errors import Misconfigured, suggestion
from sendit.projects.derived_keys import KeyKind, ProjectKey
from sendit.projects.project import DEFAULT, LOCAL, Claims, Project, Routing, project_of
from sendit.projects.project_keys import KEYS, Key, WrongValue
from sendit.projects.settings_file import below, text_of
from sendit.projects.site import SETTINGS, Site, variable
from sendit.projects.toml_lines import line_of

NAMES = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
SUFFIX = ".toml"


@dataclass(frozen=True, slots=True)
class Configured:
    """A project, and the settings as they are for it."""

    project: Project
    site: Site


def default_of(site: Site) -> Configured:
    """Return the project that the settings describe, where it has no file."""
    project = project_of(site, DEFAULT)
    return Configured(replace(project, fingerprint=_fingerprint(site, {"key": str(project.key)})), site)


def read(path: Path, site: Site) -> Configured:
    """Return the project of a file.

    Raises
    ------
    Misconfigured
        `BadProject`, with the file, the line and the key.
    """
    return _File(path).configured(site)


class _File:
    """One file of a project while it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name = path.name.removesuffix(SUFFIX)
        try:
            self._text = path.read_text(encoding="utf-8")
            self._content: dict[str, Any] = tomllib.loads(self._text)
        except (OSError, UnicodeDecodeError):
            raise self._refusal("a file that can be read") from None
        except tomllib.TOMLDecodeError as error:
            line = re.search(r"line (\d+)", str(error))
            raise self._refusal("TOML is expected", int(line[1]) if line else 0) from None

    def configured(self, site: Site) -> Configured:
        self._ensure_named()
        values = {key: self._value(key, value) for key, value in self._content.items()}
        key = self._key(str(values.get("key", "")))
        own = replace(site, **(self._settings(values) | self._names(values) | _identity(values)))
        project = replace(
            project_of(own, self._name, self._naming),
            title=values.get("title", ""),
            people=values.get("people", ()),
            takes=values.get("takes", ()),
            claims=Claims(values.get("share", 1), values.get("priority", 0)),
            allow_list=values.get("allow_list", ""),
            opt_out=values.get("opt_out", ""),
            routing=Routing(values.get("called_ae_titles", ()), values.get("calling_ae_titles", ())),
            key=key,
            fingerprint=_fingerprint(own, {name: values[name] for name in _fingerprinted(values)} | {"key": str(key)}),
        )
        if self._name != DEFAULT and not values.get("data_folders"):
            project = replace(project, data_folders=())
        if project.routing and not project.data_folders:
            titles = next(name for name in ("called_ae_titles", "calling_ae_titles") if values.get(name))
            raise self._refusal("a project with AE titles names data_folders", self._line(titles), titles)
        return Configured(project, own)

    def _ensure_named(self) -> None:
        if not NAMES.fullmatch(self._name):
            raise self._refusal("the file's name is the project's: small letters, digits, - and _")
        if self._content.get("name", self._name) != self._name:
            raise self._refusal(f"a project is called as its file, {self._name}", self._line("name"), "name")

    def _value(self, key: str, value: object) -> Any:
        """What a key says; of one that overrides a setting, the setting's value."""
        entry = KEYS.get(key)
        if entry is None:
            raise self._refusal(f"no such key{suggestion(key, KEYS)}", self._line(key), key)
        try:
            return self._own(entry, entry.read(value)) if entry.read else self._setting(entry, value)
        except WrongValue as error:
            line = line_of(self._text, error.key, key) or self._line(key)
            raise self._refusal(str(error), line, ".".join(filter(None, (key, error.key)))) from None
        except (KeyError, ValueError):
            raise self._refusal(entry.legal, self._line(key), key) from None

    def _setting(self, entry: Key, value: object) -> Any:
        setting, folder = SETTINGS[entry.setting], self._path.parent.absolute()
        text = text_of(value, setting)
        if text is None:
            raise ValueError(value)
        return setting.parse(below(folder, entry.setting, setting, text))

    def _own(self, entry: Key, value: Any) -> Any:
        return str(self._path.parent.absolute() / value) if entry.is_path and value else value

    def _settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {KEYS[key].setting.lower(): value for key, value in values.items() if KEYS[key].setting}

    def _names(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What no setting says for a project of a file: what its objects, rows and pseudonyms are called."""
        if self._name == DEFAULT:
            return {}
        collection = values.get("collection") or self._name.replace("-", "_")
        return {
            "google_storage_collection": collection,
            "som_study": values.get("identity_collection") or collection,
        }

    def _key(self, text: str) -> ProjectKey:
        if self._name == DEFAULT and text != KeyKind.SITE:
            says = 'key = "site", because its pseudonyms are those of the site\'s key'
            raise self._refusal(f"{DEFAULT} says {says}", self._line("key"), "key")
        try:
            return ProjectKey.parse(text or KeyKind.OWN, self._name)
        except ValueError:
            raise self._refusal(KEYS["key"].legal, self._line("key"), "key") from None

    def _naming(self, setting: str) -> str:
        """What an error calls a setting: the key of this file where it says it, or else the setting's variable."""
        key = next((key for key in self._content if KEYS[key].setting == setting), "")
        return f"{self._path.name}, line {self._line(key)}, {key}" if key else variable(setting)

    def _line(self, key: str) -> int:
        return line_of(self._text, key)

    def _refusal(self, why: str, line: int = 0, key: str = "") -> Misconfigured:
        where = ", ".join(filter(None, (self._path.name, f"line {line}" if line else "", key)))
        return Misconfigured("BadProject", subject=f"{where}: {why}")


def _identity(values: Mapping[str, Any]) -> dict[str, Any]:
    address = values.get("identity_service")
    if address is None:
        return {}
    return {"anonymize_restful": False} if address == LOCAL else {"anonymize_restful": True, "identity_url": address}


def _fingerprinted(values: Mapping[str, Any]) -> list[str]:
    """The keys of projects alone that the fingerprint has; those that override a setting come with the settings."""
    said = [key for key in values if values[key] and KEYS[key].is_fingerprinted]
    return [key for key in said if not KEYS[key].setting and key != "name"]


def _fingerprint(site: Site, said: Mapping[str, Any]) -> str:
    """Digest what the project is made of. What has its default is left out, so that a new key changes nothing."""
    names = sorted({entry.setting for entry in KEYS.values() if entry.setting} | {"ANONYMIZE_RESTFUL", "IDENTITY_URL"})
    settings = {name: getattr(site, name.lower()) for name in names}
    changed = {name: value for name, value in settings.items() if value != SETTINGS[name].default}
    content = json.dumps({**changed, **said}, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(content.encode("utf-8", "surrogateescape")).hexdigest()
