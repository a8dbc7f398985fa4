"""What a recipe does, and how a project stands that uses it, as a page to print and sign."""

from __future__ import annotations

from collections.abc import Iterator

from sendit import __version__
from sendit.deid.recipe.explanation import AttributeEntry, Explanation, FilterEntry
from sendit.papers.printed import document, facts, table
from sendit.pipeline.reports.approvals import Standing

THEN = {True: "passes", False: "is withheld"}
CLEANED = "is looked at: text in its pixels is blanked, then it goes on"


def page(told: Explanation, standing: Standing | None = None) -> str:
    """Return it as HTML."""
    title = f"Recipe {told.recipe.name}" if standing is None else f"Project {standing.subject.project}"
    return document(title, _sections(told, standing), f"sendit {__version__}")


def _sections(told: Explanation, standing: Standing | None) -> Iterator[tuple[str, str]]:
    if standing is not None:
        yield "Whether it is approved", facts([("now", standing.words)])
        yield "How it is configured", facts([("fingerprint", standing.subject.project_sha256), *standing.facts])
    yield "Recipe", facts([("name", told.recipe.name), ("SHA-256 of its text", told.recipe.sha256)])
    asked = [(one.filter, one.rule, one.asks, then(one)) for one in told.withheld]
    yield "Images that are withheld, looked at, or pass by rule", table(("filter", "rule", "asks", "then"), asked)
    rows = [(one.row.written_tag, one.row.name, _outcome(one), one.why) for one in told.entries]
    yield "Attributes of PS3.15 Table E.1-1", table(("element", "name", "what happens", "why"), rows)
    yield "Rules beyond the profile", table(("rule",), [(str(rule),) for rule in told.own_rules])
    yield "Signed", facts([("by", ""), ("date", "")])


def then(one: FilterEntry) -> str:
    """Return what becomes of an image that fits a filter."""
    return CLEANED if one.cleaned else THEN[one.passes]


def _outcome(one: AttributeEntry) -> str:
    others = [f"{other.outcome.words} where Type {', '.join(other.types)}" for other in one.unless]
    return "; ".join([one.outcome.words, *others])
