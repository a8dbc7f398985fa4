"""What the web's process is started with; the one place in this room that asks Django for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from sendit.deid.recipe.recipe import Recipe
from sendit.projects import composition, settings_file
from sendit.projects.composition import Projects
from sendit.projects.project import DEFAULT, Project
from sendit.projects.site import SETTINGS, Site, variable


def site() -> Site:
    """Return the settings."""
    found: Site = settings.SITE
    return found


def projects() -> Projects:
    """Return the site's projects, whose ports are made on first use."""
    return Projects(site())


def recipe(project: str = DEFAULT) -> Recipe:
    """Return the recipe of a project, which is parsed once in a process. Raises what parsing raises."""
    return _recipe(projects().of(project).project)


@lru_cache(maxsize=64)
def _recipe(of: Project) -> Recipe:
    return composition.recipe(of)


def cookie_key() -> bytes:
    """Return the key of this deployment's cookies and digests."""
    return str(settings.SECRET_KEY).encode()


def origins() -> dict[str, str]:
    """Return where each setting comes from: the environment, the settings file, or nowhere."""
    environ, here = os.environ, Path.cwd()
    found = settings_file.find(environ, here)
    in_file = settings_file.read(found.file) if found.file else {}
    return {name: _origin(variable(name), environ, in_file) for name in SETTINGS}


def _origin(name: str, environ: Mapping[str, str], in_file: Mapping[str, str]) -> str:
    both = (name, f"{name}_FILE")
    if any(one in environ for one in both):
        return "environment"
    return settings_file.NAME if any(one in in_file for one in both) else "default"
