"""Where a recipe's own rules leave more than its profile does, so that its outputs cannot claim the profile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sendit.deid.recipe.addresses import Address, Field
from sendit.deid.recipe.profile import SAFE_PRIVATE, Profile, Ruling
from sendit.deid.recipe.rules import Action, BoundRule, Rule
from sendit.deid.recipe.selectors import ElementName, Keyword, OfType, Path, Selector, SelectPrivate, Tag, tags_of
from sendit.deid.stream.tags import default_vr

DATES = frozenset({"DA", "DT"})


@dataclass(frozen=True, slots=True)
class Departure:
    """A rule that retains what the profile takes away; `dates` if dates are among it."""

    rule: Rule
    dates: bool


def departures(profile: Profile, rules: Iterable[BoundRule]) -> tuple[Departure, ...]:
    """Those of a recipe's own rules that leave of an attribute what the profile, as chosen, does not."""
    found = ((bound.rule, _retained(profile, bound)) for bound in rules if _retains(bound.rule))
    return tuple(Departure(rule, bool(DATES & vrs)) for rule, vrs in found if vrs)


def _retains(rule: Rule) -> bool:
    """Whether something of the value stays; pseudonyms, variables and texts of the recipe are nothing of it."""
    if rule.action in (Action.KEEP, Action.JITTER, Action.CLEAN):
        return True
    value = rule.value
    if rule.action not in (Action.REPLACE, Action.ADD) or value is None:
        return False
    return value.kind == "func" or (value.kind == "deid_func" and not value.text.endswith("uuid"))


def _retained(profile: Profile, bound: BoundRule) -> set[str]:
    """The VRs of what the rule retains against the profile; of private elements "UN"."""
    if bound.selector == SelectPrivate(True) or bound.selector.names_private:
        return set() if profile.has(SAFE_PRIVATE) and bound.selector != SelectPrivate(True) else {"UN"}
    rulings = [ruling for ruling in profile.rulings() if ruling.row.is_one_attribute]
    named = [ruling for ruling in rulings if not _allows(ruling, bound.rule)]
    return {default_vr(ruling.row.number) for ruling in _of(named, bound.selector)}


def _of(rulings: list[Ruling], selector: Selector) -> Iterator[Ruling]:
    leaf = selector.leaf if isinstance(selector, Path | OfType) else selector
    if isinstance(leaf, Keyword | Tag | ElementName):
        tags = set(tags_of(leaf))
        yield from (ruling for ruling in rulings if ruling.row.number in tags)
        return
    for ruling in rulings:
        tag = ruling.row.number
        if selector.matches(Address(Field((), tag, default_vr(tag)))):
            yield ruling


def _allows(ruling: Ruling, rule: Rule) -> bool:
    """Whether the profile itself leaves as much."""
    if ruling.code == "K":
        return True
    return ruling.code == "C" and rule.action in (Action.CLEAN, Action.JITTER)
