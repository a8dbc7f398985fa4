"""Which rule wins: the address of an element in, the steps that a recipe does to it out. Knows no bytes, no values."""

# The eight numbers in this file are those of "Which rule wins" in docs/recipes.md, and each stands where it is carried
# out:
#
#   1  KEEP goes before everything but an ADD                     RuleSet._decide, RuleSet._keep, _since_add
#   2  REPLACE and JITTER hold REMOVE back                        PASSED_OVER
#   3  CLEAN by name too, and takes the value as the file has it  PASSED_OVER, _carry_out
#   4  otherwise in the order of the recipe; gone stays gone      steps_of, PASSED_OVER
#   5  a sequence's own decision comes first                      RuleSet._keep, RuleSet._cleaning
#   6  a value belongs to an element, not to a sequence           PASSED_OVER
#   7  rules of %header go before those of %profile               _profile_then_own, PASSED_OVER
#   8  REMOVE select:private:yes spares what a rule names         RuleSet._matching

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as field_of
from functools import cached_property

from sendit.deid.bounded import Bounded
from sendit.deid.recipe.addresses import Address, Field
from sendit.deid.recipe.rules import (
    NEEDED_UIDS,
    PSEUDONYM,
    Action,
    Addition,
    BoundRule,
    Decision,
    Rule,
    Step,
    is_exact,
    is_protected,
)
from sendit.deid.recipe.selectors import AnyOf, OfType, Path, Selector, Tag, only_tag
from sendit.deid.standard.content import CONTENT_TEXTS
from sendit.deid.stream.tags import default_vr, is_private
from sendit.deid.stream.values import TEXT_VRS

Place = tuple[tuple[int, ...], tuple[int, ...], str]
"""The tags of the sequences around a dataset, its item numbers, and the file's SOP class."""
Decisions = Bounded[tuple[int, str, str | None], Decision]
DECISIONS, PLACES, DECISIONS_AT_A_PLACE = 65536, 64, 1024
"""How many decisions a recipe remembers by address; and of how many places how many more."""


class RuleSet:
    """A recipe's rules in order, with the look-ups that make `decide` fast."""

    def __init__(self, rules: Sequence[BoundRule]) -> None:
        self.rules = tuple(rules)
        self._by_key: defaultdict[Hashable, list[tuple[int, BoundRule]]] = defaultdict(list)
        self._unkeyed: list[tuple[int, BoundRule]] = []
        for order, bound in enumerate(self.rules):
            (self._unkeyed if bound.selector.key is None else self._by_key[bound.selector.key]).append((order, bound))
        self._decisions = Bounded[Field, Decision](self._decide, DECISIONS)
        self._places = Bounded[Place, Decisions](self._decisions_at, PLACES)
        self.purges_private = any(bound.removes_private for bound in self.rules)
        self._cleans = any(bound.cleans_by_name for bound in self.rules)

    @cached_property
    def uses_indices(self) -> bool:
        """Whether a rule tells the items of a sequence apart."""
        return any(_uses_indices(bound.selector) for bound in self.rules)

    @cached_property
    def uses_types(self) -> bool:
        """Whether a rule asks for the Type that an attribute has in the file's IOD."""
        return any(_uses_types(bound.selector) for bound in self.rules)

    @cached_property
    def uses_values(self) -> bool:
        """Whether a rule asks for a %values list."""
        return any(bound.rule.values_list is not None for bound in self.rules)

    @cached_property
    def removes_all_private(self) -> bool:
        """Whether every private element goes, whatever it is."""
        if self.purges_private:
            spare = (Action.KEEP, Action.REPLACE, Action.JITTER, Action.CLEAN)
            return not any(b.selector.names_private and b.rule.action in spare for b in self.rules)
        everything = any(bound.removes_everything for bound in self.rules)
        return everything and not any(bound.may_spare_private for bound in self.rules)

    def decide(self, field: Field) -> Decision:
        """What the rules do to a present element; depends on its address alone."""
        return self._decisions[field]

    def keeps_by_name(self, rule: Rule) -> bool:
        """Whether a rule is a KEEP of the recipe's own, of an attribute that it names."""
        bound = next((bound for bound in self.rules if bound.rule is rule), None)
        return bound is not None and rule.action is Action.KEEP and bound.overrules_profile

    def decisions_at(self, path: tuple[int, ...], indices: tuple[int, ...], sop_class_uid: str) -> Decisions:
        """The decisions for the elements of one dataset, by tag, VR and Private Creator: faster than `decide`.

        They depend on the recipe alone, so the studies of a process share them.
        """
        return self._places[path, indices, sop_class_uid]

    def _decisions_at(self, place: Place) -> Decisions:
        path, indices, sop_class_uid = place

        def decide(key: tuple[int, str, str | None]) -> Decision:
            return self._decide(Field(path, *key, indices, sop_class_uid=sop_class_uid))

        return Bounded(decide, DECISIONS_AT_A_PLACE)

    @cached_property
    def calls(self) -> bool:
        """Whether a rule calls a registered function."""
        return any(bound.rule.value is not None and bound.rule.value.kind == "func" for bound in self.rules)

    @cached_property
    def cleans(self) -> bool:
        """Whether a rule leaves of values what does not identify."""
        return any(bound.rule.action is Action.CLEAN for bound in self.rules)

    @cached_property
    def additions(self) -> tuple[Addition, ...]:
        """The places that ADD rules name, each with the steps that follow where nothing is there."""
        places = {bound.selector: None for bound in self.rules if bound.rule.action is Action.ADD}
        additions = (self._addition(place) for place in places if isinstance(place, Path))
        return tuple(addition for addition in additions if addition.steps)

    def _addition(self, place: Path) -> Addition:
        tag = only_tag(place.leaf)
        assert tag is not None
        path = tuple((sequence, index or 0) for sequence, index in place.sequences)
        field = Field(tuple(t for t, _ in path), tag, default_vr(tag), None, tuple(index for _, index in path))
        return Addition(path, tag, field.vr, steps_of(_since_add(self._matching(field)), field))

    def _decide(self, field: Field) -> Decision:
        if is_protected(field):
            return Decision(field.vr != "SQ", (), None)
        matching = self._matching(field)
        keep = self._keep(field, matching)
        steps = steps_of(_since_add(matching) if keep else matching, field)
        if keep and not steps:
            return Decision(True, (), keep)
        if not steps and matching and matching[0].rule.of_profile:  # its KEEP; what a sequence holds has its own rules
            return Decision(field.vr != "SQ", (), matching[0].rule)
        return Decision(False, steps, steps[-1].rule if steps else None)

    def _keep(self, field: Field, matching: list[BoundRule]) -> Rule | None:
        for bound in matching:
            if bound.rule.action is Action.KEEP and not bound.rule.of_profile:
                return bound.rule
        for depth, sequence in enumerate(field.path):
            path, indices = field.path[:depth], field.indices[:depth]
            outer = self.decide(Field(path, sequence, "SQ", None, indices, sop_class_uid=field.sop_class_uid))
            if outer.kept:
                return outer.rule
        return None

    def _matching(self, field: Field) -> list[BoundRule]:
        candidates = [*self._candidates(Address(field)), *self._cleaning_content(field)]
        matching = [bound for _, bound in sorted(candidates, key=lambda pair: pair[0])]
        if is_private(field.tag) and any(bound.removes_private for bound in matching):
            return _profile_then_own(
                [bound for bound in matching if bound.removes_private or bound.selector.names_private]
            )
        return _profile_then_own(matching or [bound for _, bound in self._cleaning(field)])

    def _cleaning_content(self, field: Field) -> Iterator[tuple[int, BoundRule]]:
        """The CLEAN of an enclosing sequence, as if it named the text of a content item that this is."""
        if field.tag in CONTENT_TEXTS:
            yield from self._cleaning(field)

    def _cleaning(self, field: Field) -> Iterator[tuple[int, BoundRule]]:
        """The CLEAN that befalls the outermost cleaned sequence around, as if it named this element."""
        for depth, sequence in enumerate(field.path if self._cleans else ()):
            path, indices = field.path[:depth], field.indices[:depth]
            outer = self.decide(Field(path, sequence, "SQ", None, indices, sop_class_uid=field.sop_class_uid))
            rule = outer.rule
            if rule is not None and rule.action is Action.CLEAN and not outer.kept:
                order = next(n for n, bound in enumerate(self.rules) if bound.rule is rule)
                yield order, BoundRule(rule, Tag(field.tag))
                return

    def _candidates(self, address: Address) -> Iterator[tuple[int, BoundRule]]:
        for key in dict.fromkeys(address.keys()):
            yield from ((n, bound) for n, bound in self._by_key.get(key, ()) if bound.selector.matches(address))
        yield from ((n, bound) for n, bound in self._unkeyed if bound.selector.matches(address))


def _since_add(matching: list[BoundRule]) -> list[BoundRule]:
    """The first ADD and the rules behind it."""
    first = next((n for n, bound in enumerate(matching) if bound.rule.action is Action.ADD), len(matching))
    return matching[first:]


def _profile_then_own(matching: list[BoundRule]) -> list[BoundRule]:
    """Number 7: the one rule of a %profile that applies to an element, and the recipe's own rules behind it.

    A rule that names the element goes before one for its kind; of several, the last counts. Before a CLEAN stays the
    REPLACE that says what stands there if nothing is left. A rule of the recipe's own that names the element displaces
    the profile's.
    """
    profile = [bound for bound in matching if bound.rule.of_profile]
    own = [bound for bound in matching if not bound.rule.of_profile]
    if not profile or any(bound.overrules_profile for bound in own):
        return own
    closest = [bound for bound in profile if is_exact(bound.selector)] or profile
    with_dummy = closest[-1].cleans_by_name and [b.rule.action for b in closest[-2:-1]] == [Action.REPLACE]
    return [*closest[-2 if with_dummy else -1 :], *own]


# ---------------------------------------------------------------------------------------------- the steps in order


@dataclass(slots=True)
class _Element:
    """An element while its steps are drawn up."""

    field: Field
    holds_back_remove: bool
    steps: list[Step] = field_of(default_factory=list)

    @property
    def last(self) -> Step | None:
        return self.steps[-1] if self.steps else None


def steps_of(matching: list[BoundRule], field: Field) -> tuple[Step, ...]:
    """The steps that the rules which match an element come to, given in the order of the recipe."""
    element = _Element(field, any(bound.holds_back_remove for bound in matching))
    for bound in matching:
        if not any(passes_over(bound, element) for passes_over in PASSED_OVER):
            _carry_out(bound, element)
    return tuple(element.steps)


def _removal_is_held_back(bound: BoundRule, element: _Element) -> bool:
    return bound.rule.action is Action.REMOVE and element.holds_back_remove and not bound.rule.of_profile


def _is_gone(bound: BoundRule, element: _Element) -> bool:
    last = element.last
    gone = last is not None and last.action is Action.REMOVE and not last.rule.is_conditional
    return gone and bound.rule.action is not Action.ADD


def _speaks_of_a_sequences_value(bound: BoundRule, element: _Element) -> bool:
    """Whether the rule is about a value and the element is a sequence; it applies to what the sequence holds."""
    rule = bound.rule
    if element.field.vr != "SQ" or rule.action is Action.KEEP:
        return False
    if rule.action is Action.CLEAN:
        return not bound.cleans_by_name
    if rule.value is not None and rule.value.kind == "code":
        return False
    return rule.action in (Action.REPLACE, Action.JITTER) or rule.is_conditional


def _repeats_the_profile(bound: BoundRule, element: _Element) -> bool:
    """Whether a rule of the recipe's own says again what the profile's did: a date is not shifted twice."""
    last, rule = element.last, bound.rule
    if last is None or not last.rule.of_profile:
        return False
    return (last.action, last.value, None) == (rule.action, rule.value, rule.values_list)


def _cleans_what_was_added(bound: BoundRule, element: _Element) -> bool:
    return bound.cleans_by_name and any(step.action is Action.ADD for step in element.steps)


def _keeps(bound: BoundRule, element: _Element) -> bool:
    """A KEEP is no step: it has decided before, or was overruled by an ADD."""
    return bound.rule.action is Action.KEEP


def _shifts_no_date(bound: BoundRule, element: _Element) -> bool:
    """Whole days leave a time of day as it is, and a number is no date."""
    vr, tag = element.field.vr, element.field.tag
    return bound.rule.action is Action.JITTER and tag not in NEEDED_UIDS and (vr == "TM" or vr not in TEXT_VRS)


PASSED_OVER: tuple[Callable[[BoundRule, _Element], bool], ...] = (
    _keeps,  # 1
    _removal_is_held_back,  # 2, 3
    _cleans_what_was_added,  # 3
    _is_gone,  # 4
    _speaks_of_a_sequences_value,  # 6
    _repeats_the_profile,  # 7
    _shifts_no_date,
)
"""When a rule that matches an element is not carried out on it, with its number in "Which rule wins"."""


def _carry_out(bound: BoundRule, element: _Element) -> None:
    rule, steps = bound.rule, element.steps
    if bound.cleans_by_name:  # 3: whatever the steps before say, but for what stands there if nothing is left
        instead = element.last.value if element.last and element.last.action is Action.REPLACE else None
        given = instead if instead is not None and instead.kind in ("literal", "var") else None
        steps[:] = [Step(Action.CLEAN, rule.value, rule, None, given)]
        return
    step = Step(rule.action, rule.value, rule, None if rule.action is Action.CLEAN else rule.values_list)
    if element.field.tag in NEEDED_UIDS and step.action in (Action.REMOVE, Action.BLANK, Action.JITTER):
        step = replace(step, action=Action.REPLACE, value=PSEUDONYM)
    if step.action is Action.REMOVE and not rule.is_conditional:
        steps.clear()
    steps.append(step)


# ---------------------------------------------------------------------------------------------- what rules ask for


def _uses_types(selector: Selector) -> bool:
    return isinstance(selector, OfType) or (isinstance(selector, AnyOf) and any(map(_uses_types, selector.selectors)))


def _uses_indices(selector: Selector) -> bool:
    if isinstance(selector, AnyOf):
        return any(map(_uses_indices, selector.selectors))
    return isinstance(selector, Path) and selector.uses_indices
