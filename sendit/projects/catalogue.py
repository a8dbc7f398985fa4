"""All projects of a site: the files of SENDIT_PROJECTS, and `default`, which is there with or without a file.

A file that is wrong refuses its own project, and the others work. It is read again when it has changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from pathlib import Path

from sendit.errors import Misconfigured
from sendit.projects.derived_keys import KeyKind
from sendit.projects.destinations import StoreChoice, WarehouseChoice, WarehouseFolder
from sendit.projects.project import DEFAULT, Project
from sendit.projects.project_file import SUFFIX, Configured, default_of, read
from sendit.projects.site import Site, variable

Stamps = tuple[tuple[str, int, int, int], ...]
"""What tells that a file is another one: its name, its inode, its time of modification and its length."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The projects by name, and what is wrong with those that are refused."""

    configured: Mapping[str, Configured]
    refused: Mapping[str, str]
    """The subject of each `BadProject`."""


def stamps(site: Site) -> Stamps:
    """Return what changes when a project's file does. Raises Misconfigured("BadProject") without the folder."""
    folder = site.projects_folder
    try:
        with os.scandir(folder) as scan:
            files = [item for item in scan if item.name.endswith(SUFFIX) and not item.name.startswith(".")]
            return tuple(sorted(_stamp(item) for item in files))
    except FileNotFoundError:
        if not site.projects:
            return ()
        raise _no_folder() from None
    except OSError:
        raise _no_folder() from None


def _no_folder() -> Misconfigured:
    return Misconfigured("BadProject", subject=f"{variable('PROJECTS')}: a folder that can be read")


def _stamp(item: os.DirEntry[str]) -> tuple[str, int, int, int]:
    try:
        status = item.stat()
    except OSError:  # a link that leads nowhere, or a file that has just gone
        return item.name, 0, 0, 0
    return item.name, status.st_ino, status.st_mtime_ns, status.st_size


@lru_cache(maxsize=4)
def load(site: Site, known: Stamps) -> Catalogue:
    """Return the projects of the files with these stamps."""
    found: dict[str, Configured] = {}
    refused: dict[str, str] = {}
    for name, *_ in known:
        try:
            found[name.removesuffix(SUFFIX)] = read(site.projects_folder / name, site)
        except Misconfigured as error:
            refused[name.removesuffix(SUFFIX)] = error.subject or ""
    if DEFAULT not in found and DEFAULT not in refused:
        found[DEFAULT] = default_of(site)
    refused |= dict(_collisions([one.project for one in found.values()]))
    usable = {name: found[name] for name in sorted(found, key=lambda name: (name != DEFAULT, name))}
    return Catalogue({name: one for name, one in usable.items() if name not in refused}, refused)


def _collisions(projects: Iterable[Project]) -> Iterator[tuple[str, str]]:
    """The projects that would not stay apart, with the reason; `default` is never refused for another's sake."""
    for one, other in combinations(sorted(projects, key=lambda project: project.name), 2):
        if why := _same_names(one, other) or _same_place(one, other) or _same_titles(one, other):
            for project, beside in ((one, other), (other, one)):
                if project.name != DEFAULT:
                    yield project.name, f"{project.name}{SUFFIX}: {why}, as {beside.name} has it"


def _same_names(one: Project, other: Project) -> str:
    """Two that were to have nothing in common: an identity service would give both the same pseudonym and shift."""
    are_own = one.key.kind is other.key.kind is KeyKind.OWN
    asked = [(project.identity_service, project.identity.study.strip().lower()) for project in (one, other)]
    if are_own and asked[0] == asked[1]:
        return 'key = "own" needs an identity_service or identity_collection that no other own project has'
    return ""


def _same_place(one: Project, other: Project) -> str:
    if one.collection != other.collection:
        return ""
    if {_unnamed(store) for store in one.stores} & {_unnamed(store) for store in other.stores}:
        return "collection is taken in that destination"
    if _unnamed(one.warehouse) == _unnamed(other.warehouse):
        return "collection is taken in that warehouse"
    return ""


def _same_titles(one: Project, other: Project) -> str:
    if one.routing.may_meet(other.routing) and one.data_folders[0].path != other.data_folders[0].path:
        return "called_ae_titles and calling_ae_titles lead to two data folders"
    return ""


def _unnamed(choice: StoreChoice | WarehouseChoice) -> object:
    """The same place, whatever it is called and whichever setting or key names it."""
    if isinstance(choice, StoreChoice):
        return replace(choice, name="", named_by="")
    return choice if isinstance(choice, WarehouseFolder) else replace(choice, named_by="")


def file_of(site: Site, name: str) -> Path:
    """Return where a project's file is, or would be."""
    return site.projects_folder / f"{name}{SUFFIX}"
