"""How far a person's roles reach: those of the site over all projects, those of a project over what is its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.http import HttpRequest

from sendit.errors import Misconfigured
from sendit.pipeline.reports.projects import project_of
from sendit.web.models import User
from sendit.web.roles import Roles, may_be_combined
from sendit.web.site import projects


@dataclass(eq=False)
class Reach:
    """The roles of one person, in one request.

    Parameters
    ----------
    user : User
    batch : int or None
        The batch that the request is about.
    """

    user: User
    batch: int | None = None

    @property
    def of_site(self) -> Roles:
        """The roles over all projects."""
        return self.user.roles

    @cached_property
    def of_projects(self) -> dict[str, Roles]:
        """The roles in single projects; none where all roles together would show a pseudonym beside a true time."""
        try:
            known = projects()
            found = {name: known.of(name).project.roles_of(self.user.name) for name in known.names}
        except Misconfigured:
            return {}
        held = {name: roles for name, roles in found.items() if roles}
        return held if may_be_combined(self.of_site.union(*held.values())) else {}

    @cached_property
    def here(self) -> Roles:
        """The roles for what the request is about: its batch's project, or else any."""
        if self.batch is None:
            return self.of_site.union(*self.of_projects.values())
        project = project_of(self.batch) if self.of_projects else None
        return self.of_site | self.of_projects.get(project or "", frozenset())

    def projects(self, roles: Roles) -> frozenset[str] | None:
        """Return the projects in which the person has one of these roles; None for all of the site's."""
        if self.of_site & roles:
            return None
        return frozenset(name for name, held in self.of_projects.items() if held & roles)

    def shown(self, roles: Roles, wanted: str) -> frozenset[str] | None:
        """Return the same, and of these the one that is wanted, if any is."""
        reached = self.projects(roles)
        if not wanted:
            return reached
        return frozenset({wanted}) if reached is None or wanted in reached else frozenset()

    def names(self, roles: Roles) -> list[str]:
        """Return the projects in which the person has one of these roles, each by its name, `default` first."""
        reached = self.projects(roles)
        return [name for name in projects().names if reached is None or name in reached]

    def in_all(self, names: frozenset[str] | None) -> Roles:
        """Return the roles that the person has in each of these projects."""
        if names is None or not names:
            return self.of_site
        return self.of_site | frozenset.intersection(*(self.of_projects.get(name, frozenset()) for name in names))


def reach(request: HttpRequest) -> Reach:
    """Return the reach of the signed-in person, made once for a request."""
    known: Reach | None = getattr(request, "_reach", None)
    if known is None or known.user is not request.user:
        known = Reach(request.user, _batch(request))  # type: ignore[arg-type]  # only behind the middleware
        request._reach = known  # type: ignore[attr-defined]
    return known


def _batch(request: HttpRequest) -> int | None:
    """The batch that stands in the address: every address of pages or the API with `batches/<key>` is one's."""
    match = request.resolver_match
    key = match.kwargs.get("key") if match and "batches/<" in match.route.replace("{", "<") else None
    return int(key) if key is not None and str(key).isdigit() else None
