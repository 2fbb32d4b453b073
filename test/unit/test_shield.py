"""The shield, worked out by hand: which proposals stand, when it falls back, how it comes back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
import math
from typing import Any

import numpy as np
import pytest
from small import CROSS_STREET, crossing, LAGGING_LEFT, STRAIGHTS
from strategies import Hostile

from saferl_ros.errors import UsageError
from saferl_ros.shield import Proposal, Shield, ShieldDecision, ShieldLimits, ShieldReason

R = ShieldReason
EVERYTHING = (True, True, True)
NOT_THE_LEFT = (True, False, True)


def proposal(now_s: float, number: int, **changes: Any) -> Proposal:
    """Return a proposal of the cross street, or what the changes make of it."""
    fields = {'junction_id': 'crossing', 'sequence': number, 'stamp_s': now_s}
    if 'scores' not in changes:
        fields['stage'] = CROSS_STREET
    return Proposal(**{**fields, **changes})


class Asked:
    """A shield that is asked once a second while the first stage shows, the policy being due."""

    def __init__(self, **options: Any) -> None:
        self.shield = Shield(crossing(), **options)
        self.now_s = 99.0  # the program is at its ninth second: the first stage

    def ask(self, *, legal: tuple[bool, ...] = EVERYTHING, is_due: bool = True) -> ShieldDecision:
        self.now_s += 1.0
        return self.shield.decide(
            self.now_s, self.now_s, stage=STRAIGHTS, legal=legal, is_due=is_due
        )

    def propose(self, given: object = None, **changes: Any) -> ShieldReason:
        """Hand in a proposal for the coming second."""
        now_s = self.now_s + 1.0
        given = proposal(now_s, int(now_s), **changes) if given is None else given
        return self.shield.receive(given, now_s)


@pytest.fixture
def asked() -> Asked:
    return Asked()


class EqualToAll(str):
    """A name that claims to be any other."""

    def __ne__(self, other: object) -> bool:
        return False


class Impostor:
    """An object that says it is a proposal, and loses its temper when asked again."""

    @property
    def __class__(self) -> type:  # type: ignore[override]
        raise RuntimeError('no')


class Endless:
    """Three scores by its length, and more than anybody can read."""

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[float]:
        while True:
            yield 1.0


# ------------------------------------------------------------------ which proposals stand


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({}, R.POLICY),
        ({'stage': np.int64(1)}, R.POLICY),
        ({'scores': [0.0, 1.0, 2.0]}, R.POLICY),
        ({'scores': np.zeros(3, np.float32)}, R.POLICY),
        ({'stamp_s': 98.0}, R.POLICY),
        ({'stamp_s': 100.5}, R.POLICY),
        ({'junction_id': EqualToAll('x')}, R.POLICY),
        ({'stage': None}, R.MALFORMED),
        ({'stage': 1.0}, R.MALFORMED),
        ({'stage': '1'}, R.MALFORMED),
        ({'stage': Hostile()}, R.MALFORMED),
        ({'sequence': 1.5}, R.MALFORMED),
        ({'sequence': Hostile()}, R.MALFORMED),
        ({'stamp_s': '100'}, R.MALFORMED),
        ({'stamp_s': None}, R.MALFORMED),
        ({'stamp_s': 10**400}, R.MALFORMED),
        ({'scores': 7}, R.MALFORMED),
        ({'scores': ['a', 'b', 'c']}, R.MALFORMED),
        ({'scores': [0.0, 10**400, 0.0]}, R.MALFORMED),
        ({'scores': np.zeros((3, 2))}, R.MALFORMED),
        ({'scores': []}, R.WRONG_SHAPE),
        ({'scores': [0.0, 1.0]}, R.WRONG_SHAPE),
        ({'scores': [0.0] * 4}, R.WRONG_SHAPE),
        ({'scores': [[0.0, 1.0, 2.0]]}, R.WRONG_SHAPE),
        ({'scores': Endless()}, R.WRONG_SHAPE),
        ({'scores': [0.0, math.nan, 1.0]}, R.NOT_FINITE),
        ({'scores': [0.0, 0.0, math.inf]}, R.NOT_FINITE),
        ({'scores': [-math.inf, 0.0, 0.0]}, R.NOT_FINITE),
        ({'stage': math.nan}, R.NOT_FINITE),
        ({'stamp_s': math.nan}, R.NOT_FINITE),
        ({'stamp_s': math.inf}, R.NOT_FINITE),
        ({'stage': -1}, R.OUT_OF_RANGE),
        ({'stage': 3}, R.OUT_OF_RANGE),
        ({'stage': 10**30}, R.OUT_OF_RANGE),
        ({'junction_id': 'elsewhere'}, R.UNKNOWN_JUNCTION),
        ({'junction_id': None}, R.UNKNOWN_JUNCTION),
        ({'stamp_s': 97.9}, R.STALE),
        ({'stamp_s': -1e300}, R.STALE),
        ({'stamp_s': 100.6}, R.FROM_THE_FUTURE),
    ],
)
def test_a_proposal_stands_or_is_refused_for_its_own_reason(asked, changes, reason):
    assert asked.propose(**changes) is reason
    assert asked.shield.counts == ({} if reason is R.POLICY else {reason: 1})


@pytest.mark.parametrize('given', [3, 'stage', [1, 2], math.nan, Hostile(), Proposal])
def test_what_is_no_proposal_is_malformed(asked, given):
    assert asked.propose(given) is R.MALFORMED
    assert asked.shield.counts == {R.MALFORMED: 1}


def test_what_does_not_even_say_what_it_is_is_malformed(asked):
    assert asked.shield.receive(Impostor(), 100.0) is R.MALFORMED


def test_a_number_that_was_seen_is_a_duplicate_and_a_lower_one_too(asked):
    assert asked.propose(sequence=7) is R.POLICY
    assert [asked.propose(sequence=n) for n in (7, 6, 8)] == [R.DUPLICATE, R.DUPLICATE, R.POLICY]
    assert asked.shield.counts == {R.DUPLICATE: 2}


def test_a_refused_proposal_does_not_use_up_its_number(asked):
    assert asked.propose(sequence=7, scores=[math.nan] * 3) is R.NOT_FINITE
    assert asked.propose(sequence=7) is R.POLICY


def test_the_twenty_first_proposal_of_a_second_is_one_of_a_flood():
    shield = Shield(crossing())
    answers = [shield.receive(proposal(5.0, n), 5.0) for n in range(25)]
    assert answers == [R.POLICY] * 20 + [R.FLOOD] * 5
    assert shield.receive(proposal(6.0, 30), 6.0) is R.POLICY
    assert shield.counts == {R.FLOOD: 5}


def test_a_flood_over_the_turn_of_a_second_is_one_too():
    shield = Shield(crossing())
    times_s = [5.0, *[5.95] * 19, *[6.0] * 20]
    answers = [shield.receive(proposal(now_s, n), now_s) for n, now_s in enumerate(times_s)]
    assert answers == [R.POLICY] * 21 + [R.FLOOD] * 19
    assert shield.receive(proposal(6.95, 50), 6.95) is R.POLICY


def test_a_clock_set_back_does_not_dam_what_is_no_flood():
    shield = Shield(crossing())
    assert [shield.receive(proposal(5.0, n), 5.0) for n in range(20)] == [R.POLICY] * 20
    assert shield.receive(proposal(3.0, 20), 3.0) is R.POLICY


def test_a_flood_of_nonsense_counts_as_one():
    shield = Shield(crossing())
    answers = [shield.receive(None, 5.0) for _ in range(21)]
    assert answers == [R.MALFORMED] * 20 + [R.FLOOD]


@pytest.mark.parametrize('now_s', [math.nan, math.inf, -math.inf, None, 'noon', Hostile()])
def test_without_a_clock_no_proposal_can_be_judged(now_s):
    shield = Shield(crossing())
    assert shield.receive(proposal(5.0, 1), now_s) is R.CLOCK
    assert shield.counts == {R.CLOCK: 1}


@pytest.mark.parametrize('name', ['max_age_s', 'max_future_s', 'patience_s', 'max_per_s'])
@pytest.mark.parametrize('value', [math.nan, math.inf, -1.0])
def test_a_limit_that_nothing_would_exceed_is_refused(name, value):
    with pytest.raises(UsageError, match=name):
        ShieldLimits(**{name: value})


# ------------------------------------------------------------------ what a proposal means


def test_a_good_proposal_chooses_the_stage(asked):
    asked.propose(stage=CROSS_STREET)
    assert asked.ask() == ShieldDecision(
        applied_stage=CROSS_STREET, reason=R.POLICY, is_fallback=False
    )


@pytest.mark.parametrize(
    ('scores', 'legal', 'chosen'),
    [
        ([1.0, 2.0, 3.0], EVERYTHING, CROSS_STREET),
        ([1.0, 9.0, 3.0], NOT_THE_LEFT, CROSS_STREET),
        ([-5.0, 9.0, -7.0], NOT_THE_LEFT, STRAIGHTS),
        ([4.0, 4.0, 4.0], EVERYTHING, STRAIGHTS),
        ([1.0, 4.0, 4.0], EVERYTHING, LAGGING_LEFT),
        ([1.0, 4.0, 4.0], (False, False, True), CROSS_STREET),
    ],
)
def test_of_scores_the_best_legal_stage_is_chosen_the_first_of_equals(
    asked, scores, legal, chosen
):
    asked.propose(scores=scores)
    decision = asked.ask(legal=legal)
    assert (decision.applied_stage, decision.reason) == (chosen, R.POLICY)


def test_a_stage_that_is_not_legal_now_is_masked_and_the_running_one_stays(asked):
    asked.propose(stage=LAGGING_LEFT)
    assert asked.ask(legal=NOT_THE_LEFT) == ShieldDecision(
        applied_stage=STRAIGHTS, reason=R.MASKED, is_fallback=False
    )
    assert asked.shield.counts == {R.MASKED: 1}


def test_scores_are_masked_where_nothing_is_legal(asked):
    asked.propose(scores=[1.0, 2.0, 3.0])
    assert asked.ask(legal=(False,) * 3).reason is R.MASKED


def test_a_decision_that_is_not_due_holds_the_stage_and_keeps_the_proposal(asked):
    asked.propose(stage=CROSS_STREET)
    assert asked.ask(is_due=False) == ShieldDecision(
        applied_stage=STRAIGHTS, reason=R.HOLD, is_fallback=False
    )
    assert asked.ask().reason is R.POLICY


def test_a_proposal_serves_one_decision(asked):
    asked.propose()
    assert [asked.ask().reason for _ in range(2)] == [R.POLICY, R.HOLD]


def test_the_latest_good_proposal_counts_and_a_bad_one_does_not_undo_it(asked):
    asked.propose(sequence=1, stage=LAGGING_LEFT)
    asked.propose(sequence=2, stage=CROSS_STREET)
    asked.propose(sequence=3, stage=-1)
    assert asked.ask().applied_stage == CROSS_STREET


def test_a_proposal_that_waited_too_long_is_stale_when_its_decision_comes(asked):
    asked.propose()
    assert [asked.ask(is_due=False).reason for _ in range(3)] == [R.HOLD] * 3
    assert asked.ask().reason is R.STALE
    assert asked.shield.counts == {R.STALE: 1}


def test_a_proposal_taken_on_a_clock_that_ran_ahead_is_from_the_future(asked):
    assert asked.shield.receive(proposal(1e6, 1), 1e6) is R.POLICY
    assert asked.ask().reason is R.FROM_THE_FUTURE


def test_what_the_sender_changes_afterwards_changes_nothing(asked):
    scores = [0.0, 0.0, 9.0]
    asked.propose(scores=scores)
    scores[:] = [math.nan] * 3
    assert asked.ask().applied_stage == CROSS_STREET


# ------------------------------------------------------------------ patience and latch


def test_a_silent_policy_is_waited_for_five_seconds_and_then_latched(asked):
    decisions = [asked.ask() for _ in range(6)]
    assert [d.reason for d in decisions] == [R.HOLD] * 5 + [R.SILENT]
    assert [d.is_fallback for d in decisions] == [False] * 5 + [True]
    assert asked.shield.latched_by is R.SILENT
    assert asked.shield.counts == {R.SILENT: 1}


def test_a_proposal_in_the_last_second_of_patience_is_in_time(asked):
    for _ in range(5):
        asked.ask()
    assert asked.shield.is_waiting
    asked.propose()
    assert asked.ask().reason is R.POLICY
    assert not asked.shield.is_waiting
    assert [asked.ask().reason for _ in range(5)] == [R.HOLD] * 5


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'scores': [math.nan] * 3}, R.NOT_FINITE),
        ({'scores': [0.0] * 2}, R.WRONG_SHAPE),
        ({'stage': 5}, R.OUT_OF_RANGE),
        ({'stamp_s': 50.0}, R.STALE),
        ({'stage': LAGGING_LEFT}, R.MASKED),
        ({'junction_id': 'elsewhere'}, R.UNKNOWN_JUNCTION),
    ],
)
def test_bad_proposals_latch_as_silence_does_by_their_own_reason(asked, changes, reason):
    for _ in range(5):
        asked.propose(**changes)
        assert not asked.ask(legal=NOT_THE_LEFT).is_fallback
    asked.propose(**changes)
    decision = asked.ask(legal=NOT_THE_LEFT)
    assert (decision.reason, decision.is_fallback) == (reason, True)
    assert asked.shield.latched_by is reason
    assert asked.shield.counts == {reason: 7}  # six refusals and the latch


def test_a_good_proposal_after_bad_ones_starts_patience_anew(asked):
    for _ in range(20):
        for _ in range(4):
            asked.propose(scores=[math.nan] * 3)
            assert asked.ask().reason is R.HOLD
        asked.propose()
        assert asked.ask().reason is R.POLICY
    assert not asked.shield.is_latched
    assert asked.shield.counts == {R.NOT_FINITE: 80}


def test_patience_rests_while_nobody_is_asked(asked):
    for _ in range(3):
        asked.ask()
    for _ in range(60):
        asked.ask(is_due=False)
    assert [asked.ask().reason for _ in range(2)] == [R.HOLD, R.HOLD]
    asked.shield.withdraw(asked.now_s)  # the junction clears for a minute and asks nothing
    asked.now_s += 60.0
    assert asked.ask().reason is R.HOLD
    assert asked.ask().reason is R.SILENT  # three seconds, one, and one


def test_decisions_that_are_open_for_a_moment_each_use_patience_up_all_the_same(asked):
    for _ in range(5):
        asked.ask()
        asked.now_s += 1.0
        asked.shield.withdraw(asked.now_s)
        asked.now_s += 30.0
    assert asked.ask().reason is R.SILENT


# ------------------------------------------------------------------ fallback, latched and not


def fall_back(shield: Shield, seconds: range, legal: tuple[bool, ...] = EVERYTHING) -> list[int]:
    return [shield.decide(now, now, stage=STRAIGHTS, legal=legal).applied_stage for now in seconds]


def test_the_fallback_asks_for_the_stage_of_the_program_at_every_second():
    shield = Shield(crossing())
    shield.latch(R.OPERATOR)
    assert fall_back(shield, range(75)) == [0] * 30 + [1] * 15 + [2] * 25 + [0] * 5


def test_the_fallback_keeps_the_running_stage_where_the_programs_is_not_legal():
    shield = Shield(crossing())
    shield.latch(R.OPERATOR)
    asked_for = fall_back(shield, range(75), NOT_THE_LEFT)
    assert asked_for == [0] * 30 + [STRAIGHTS] * 15 + [2] * 25 + [0] * 5


def test_the_fallback_follows_the_coordination_clock_and_not_that_of_the_proposals():
    shield = Shield(crossing())
    shield.latch(R.OPERATOR)
    decision = shield.decide(1.0, 50.0, stage=STRAIGHTS, legal=EVERYTHING)
    assert decision.applied_stage == CROSS_STREET


@pytest.mark.parametrize('clock_s', [math.nan, math.inf, None, 'noon', Hostile()])
def test_without_a_coordination_clock_the_program_runs_on_its_own(clock_s):
    shield = Shield(crossing())
    shield.latch(R.OPERATOR)
    stages = [
        shield.decide(now, clock_s, stage=STRAIGHTS, legal=EVERYTHING).applied_stage
        for now in range(70)
    ]
    assert stages == [0] * 30 + [1] * 15 + [2] * 25


def test_a_latched_shield_takes_no_orders_until_it_is_rearmed(asked):
    asked.shield.latch(R.OPERATOR)
    for _ in range(100):
        assert asked.propose() is R.POLICY  # sound, and of no effect
        decision = asked.ask()
        assert (decision.reason, decision.is_fallback) == (R.OPERATOR, True)
    asked.shield.rearm()
    asked.propose()
    assert asked.ask().reason is R.POLICY


def test_what_was_proposed_before_rearming_is_forgotten(asked):
    asked.shield.latch(R.OPERATOR)
    asked.propose()
    asked.shield.rearm()
    assert asked.ask().reason is R.HOLD


def test_a_policy_that_was_restarted_counts_from_zero_once_somebody_rearms(asked):
    asked.propose(sequence=1000)
    asked.ask()
    assert asked.propose(sequence=0) is R.DUPLICATE
    asked.shield.latch(R.OPERATOR)
    asked.shield.rearm()
    assert asked.propose(sequence=0) is R.POLICY


def test_the_first_reason_stays_and_every_latch_is_counted(asked):
    for reason in (R.OPERATOR, R.MONITOR, R.OPERATOR):
        asked.shield.latch(reason)
    assert asked.shield.latched_by is R.OPERATOR
    assert asked.shield.counts == {R.OPERATOR: 2, R.MONITOR: 1}


# ------------------------------------------------------------------ clocks


@pytest.mark.parametrize(
    'now_s', [100.0, 99.0, -math.inf, math.inf, math.nan, None, 'noon', Hostile()]
)
def test_a_clock_that_does_not_go_forward_latches(asked, now_s):
    asked.ask()
    decision = asked.shield.decide(now_s, 100.0, stage=STRAIGHTS, legal=EVERYTHING)
    assert (decision.reason, decision.is_fallback) == (R.CLOCK, True)
    assert asked.shield.counts == {R.CLOCK: 1}


@pytest.mark.parametrize('now_s', [math.inf, -math.inf, math.nan])
def test_a_clock_that_is_wrong_from_the_start_latches(now_s):
    shield = Shield(crossing())
    assert shield.decide(now_s, 0.0, stage=STRAIGHTS, legal=EVERYTHING).reason is R.CLOCK


def test_a_broken_clock_is_counted_once_and_after_rearming_a_sound_one_will_do(asked):
    asked.ask()
    for now_s in (math.nan, math.inf, 50.0, 50.0):
        asked.shield.decide(now_s, 0.0, stage=STRAIGHTS, legal=EVERYTHING)
    assert asked.shield.counts == {R.CLOCK: 1}
    asked.shield.rearm()
    asked.now_s = 50.0  # what the clock has told last
    asked.propose()
    assert asked.ask().reason is R.POLICY


# ------------------------------------------------------------------ out of distribution


@dataclass
class StubGuard:
    """A guard that says what the test wants."""

    alarm: object = False

    @property
    def is_alarmed(self) -> bool:
        if isinstance(self.alarm, Exception):
            raise self.alarm
        return self.alarm  # type: ignore[return-value]


def test_an_alarm_of_the_guard_gives_the_program_the_junction_and_takes_it_back():
    guard = StubGuard()
    asked = Asked(guard=guard)
    reasons = []
    for second in range(40):
        guard.alarm = 10 <= second < 30
        asked.propose()
        reasons.append(asked.ask().reason)
    assert reasons == [R.POLICY] * 10 + [R.OUT_OF_DISTRIBUTION] * 20 + [R.POLICY] * 10
    assert not asked.shield.is_latched
    assert asked.shield.counts == {R.OUT_OF_DISTRIBUTION: 1}


def test_each_alarm_is_counted_once():
    guard = StubGuard()
    asked = Asked(guard=guard)
    for second in range(40):
        guard.alarm = second % 10 < 5
        asked.propose()
        assert asked.ask().is_fallback == guard.alarm
    assert asked.shield.counts == {R.OUT_OF_DISTRIBUTION: 4}


def test_an_alarm_is_no_silence_of_the_policy():
    guard = StubGuard(alarm=True)
    asked = Asked(guard=guard)
    for _ in range(60):
        asked.ask()
    guard.alarm = False
    assert [asked.ask().reason for _ in range(6)] == [R.HOLD] * 5 + [R.SILENT]


@pytest.mark.parametrize('alarm', [RuntimeError('broken'), np.zeros(2)])
def test_a_guard_that_fails_guards_nothing_and_counts_as_an_alarm(alarm):
    asked = Asked(guard=StubGuard(alarm=alarm))
    asked.propose()
    decision = asked.ask()
    assert (decision.reason, decision.is_fallback) == (R.OUT_OF_DISTRIBUTION, True)


def test_a_latch_outlasts_the_alarm():
    guard = StubGuard(alarm=True)
    asked = Asked(guard=guard)
    asked.shield.latch(R.OPERATOR)
    guard.alarm = False
    asked.propose()
    assert asked.ask().reason is R.OPERATOR


# ------------------------------------------------------------------ all of it


def test_every_reason_has_been_seen():
    """Each reason of the enum is provoked somewhere above; here all at once."""
    guard = StubGuard()
    asked = Asked(guard=guard, limits=replace(ShieldLimits(), patience_s=0.0, max_per_s=9))
    shield, seen = asked.shield, set()
    for given in (
        *({'stage': None}, {'scores': [0.0]}, {'scores': [math.nan] * 3}, {'stage': 9}),
        *({'junction_id': ''}, {'stamp_s': 0.0}, {'stamp_s': 999.0}, {}, {'sequence': 0}, {}),
    ):
        seen.add(asked.propose(**given))
    asked.ask()
    asked.propose(stage=LAGGING_LEFT)
    seen.add(asked.ask(legal=NOT_THE_LEFT).reason)
    shield.rearm()
    seen.add(asked.ask().reason)
    shield.rearm()
    seen.add(asked.ask(is_due=False).reason)
    guard.alarm = True
    seen.add(asked.ask().reason)
    asked.now_s -= 1.0
    seen.add(asked.ask().reason)
    for reason in (R.MONITOR, R.OPERATOR, R.RIVAL):
        shield.rearm()
        shield.latch(reason)
        seen.add(asked.ask().reason)
    assert seen == set(R)
    assert set(shield.counts) == set(R) - {R.POLICY, R.HOLD}


def reachable(thing: object) -> int:
    """Return how many values hang on an object: its fields and what its containers hold."""
    if isinstance(thing, dict):
        return 1 + sum(map(reachable, thing.values()))
    if isinstance(thing, list | tuple | set | frozenset):
        return 1 + sum(map(reachable, thing))
    fields = getattr(thing, '__dict__', None)
    if isinstance(fields, dict) and type(thing).__module__.startswith('saferl_ros'):
        return 1 + reachable(fields)
    return 1


def test_memory_is_constant_whatever_comes_and_however_often():
    shield = Shield(crossing())

    def rush(first: int) -> int:
        for n in range(first, first + 10_000):
            now_s = n / 10
            shield.receive([None, proposal(now_s, n, stage=n % 4)][n % 2], now_s)
            shield.receive(proposal(now_s, n, scores=[float(n)] * (n % 4)), now_s)
            shield.receive(proposal(now_s - n % 5, -n, junction_id=str(n % 3)), now_s)
            shield.decide(now_s, now_s, stage=n % 3, legal=EVERYTHING, is_due=n % 7 > 2)
            if n % 100 == 0:
                shield.rearm()
        shield.rearm()
        return reachable(shield)

    assert rush(10_000) == rush(20_000)
    assert len(shield.counts) <= len(R)
