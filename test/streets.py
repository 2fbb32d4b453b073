"""A policy that fails in the street, played in another process, and what was seen of it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
import math
import random

import numpy as np
import numpy.typing as npt
from street_simulation import StreetSimulation

from saferl_ros.control import Decision, Moment, Shielded
from saferl_ros.control.rollout import drive
from saferl_ros.env.junction import Junction
from saferl_ros.env.network_simulation import JunctionSimulation
from saferl_ros.observation import ObservationSpec, SignalView
from saferl_ros.scenario import load_scenario
from saferl_ros.shield import Proposal, Shield, ShieldDecision, ShieldReason
from saferl_ros.signals import card_of, ConflictMonitor

FAILURES = ('NaN', 'wrong shape', 'exception', '10 s late', 'silence')
INTERVALS = ('green', 'walk', 'pedestrian clearance', 'yellow', 'all-red')
BROKEN_S, HEALED_S, REARMED_S = 120, 30, 40  # how long each part of a run lasts
LATE_S = 10.0


@dataclass
class Policy:
    """Keeps each green for ten seconds, then shows what has waited longest; fails on demand."""

    street: StreetSimulation | None = None
    failure: str = ''
    n_asked: int = 0
    on_the_way: deque[Proposal] = field(default_factory=deque)

    def __call__(self, observation: npt.NDArray[np.float32], signal: SignalView) -> object:
        assert self.street is not None
        self.n_asked += 1
        scores = [*signal.since_served_s]
        if signal.green_elapsed_s < 10.0:
            scores[signal.stage] = 1000.0
        if self.failure == 'exception':
            raise RuntimeError('the policy failed')
        if self.failure == 'silence':
            return None
        if self.failure == 'NaN':
            scores[0] = math.nan
        if self.failure == 'wrong shape':
            scores.append(0.0)
        now_s = self.street.now_s
        proposal = Proposal(
            junction_id=self.street.junction.plan.junction_id,
            sequence=self.n_asked,
            stamp_s=now_s,
            scores=scores,
        )
        if self.failure != '10 s late':
            return proposal
        self.on_the_way.append(proposal)
        has_arrived = self.on_the_way[0].stamp_s <= now_s - LATE_S
        return self.on_the_way.popleft() if has_arrived else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """One second of a run."""

    clock_s: float
    is_policy_due: bool  # before it
    decision: ShieldDecision | None
    stage: int  # the stage that shows or is being cleared for, after it
    lamps: str  # as SUMO has them


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was seen in four parts: before the failure, during it, after it, once re-armed."""

    sound: list[Second]
    broken: list[Second]
    healed: list[Second]
    rearmed: list[Second]
    latched_by: ShieldReason | None  # before re-arming
    counts: Counter[ShieldReason]
    n_policy_errors: int
    faults: Counter[str]  # an independent monitor's
    cabinet_faults: Counter[str]  # its own monitor's


def interval(street: StreetSimulation, lamps: str) -> str:
    """Return what kind of interval shows."""
    walks = [
        lamps[n] == 'G' for n, link in enumerate(street.junction.plan.links) if link.is_crossing
    ]
    if 'y' in lamps:
        return 'yellow'
    if set(lamps) == {'r'}:
        return 'all-red'
    if street.cabinet.sequencer.is_clearing:
        return 'pedestrian clearance'
    return 'walk' if any(walks) else 'green'


def play_failure(task: tuple[str, str]) -> Run:
    """
    Let a policy fail when an interval shows, after a time that depends on both names alone.

    :param task: one of ``FAILURES`` and one of ``INTERVALS``.
    """
    failure, wanted = task
    policy = Policy()
    junction = Junction.derive(load_scenario('crossing'))
    street = policy.street = StreetSimulation(junction, policy)
    monitor = ConflictMonitor(card_of(junction.plan))
    street.start()
    signal = street.simulation.api.trafficlight

    def run(n_ticks: int, until: Callable[[str], bool] = lambda _: False) -> list[Second]:
        seconds = []
        for _ in range(n_ticks):
            clock_s, is_due = street.now_s, street.cabinet.is_policy_due
            shown = street.tick()
            lamps = signal.getRedYellowGreenState(junction.plan.junction_id)
            monitor.step(lamps)
            seconds.append(
                Second(
                    clock_s=clock_s,
                    is_policy_due=is_due,
                    decision=shown.decision,
                    stage=street.cabinet.sequencer.stage,
                    lamps=lamps,
                )
            )
            if until(lamps):
                break
        return seconds

    sound = run(random.Random(repr(task)).randrange(60, 200))
    sound += run(300, until=lambda lamps: interval(street, lamps) == wanted)
    assert interval(street, sound[-1].lamps) == wanted
    policy.failure = failure
    broken = run(BROKEN_S)
    policy.failure = ''
    healed = run(HEALED_S)
    latched_by, counts = street.shield.latched_by, street.shield.counts.copy()
    street.shield.rearm()
    rearmed = run(REARMED_S)
    street.close()
    return Run(
        sound=sound,
        broken=broken,
        healed=healed,
        rearmed=rearmed,
        latched_by=latched_by,
        counts=counts,
        n_policy_errors=street.n_policy_errors,
        faults=monitor.counts,
        cabinet_faults=street.cabinet.monitor.counts,
    )


@dataclass
class CountingGuard:
    """Never alarmed, unless told to be; notes when it was fed."""

    is_alarmed: bool = False
    fed_at_s: list[float] = field(default_factory=list)

    def update(self, observation: object, now_s: float) -> bool:
        assert isinstance(observation, np.ndarray)
        self.fed_at_s.append(now_s)
        return self.is_alarmed


def play_guarded(failure: str) -> tuple[list[Second], list[float]]:
    """Run five minutes, the third of them in alarm; return them, and when the guard was fed."""
    guard, policy = CountingGuard(), Policy(failure=failure)
    street = policy.street = StreetSimulation(
        Junction.derive(load_scenario('crossing')), policy, guard=guard
    )
    street.start()
    seconds = []
    while street.now_s < 300:
        guard.is_alarmed = 120 <= street.now_s < 180
        clock_s, is_due = street.now_s, street.cabinet.is_policy_due
        shown = street.tick()
        seconds.append(
            Second(
                clock_s=clock_s,
                is_policy_due=is_due,
                decision=shown.decision,
                stage=street.cabinet.sequencer.stage,
                lamps=shown.lamps,
            )
        )
    street.close()
    return seconds, guard.fed_at_s


@dataclass
class Hourly(CountingGuard):
    """Alarmed for a minute of every hour, by what it is fed in it."""

    def update(self, observation: object, now_s: float) -> bool:
        self.is_alarmed = 300 <= now_s % 3600 < 360
        return super().update(observation, now_s)


@dataclass
class Erring:
    """
    Scores by the waits it sees; none of them is a number while it fails.

    :param fails_s: from when until when.
    """

    fails_s: tuple[float, float]
    spec: ObservationSpec

    def answer(self, observation: npt.NDArray[np.float32], now_s: float) -> list[float]:
        names = [feature.name for feature in self.spec.features()]
        stages = range(self.spec.n_stages)
        waits = [float(observation[names.index(f'stage_{n}_since_served')]) for n in stages]
        shows = [observation[names.index(f'stage_{n}_shows')] for n in stages]
        waits[shows.index(1.0)] = 0.43 - float(observation[names.index('green_elapsed')])
        if self.fails_s[0] <= now_s < self.fails_s[1]:
            waits[0] = math.nan
        return waits


HORIZON_S = 900
REARMED_AT_S = 720.0  # somebody does, whatever has latched


def lamps_in_the_street(fails_s: tuple[float, float]) -> list[str]:
    """Let a policy drive a cabinet in the street."""
    junction = Junction.derive(load_scenario('crossing', horizon_s=HORIZON_S))
    erring, numbers = Erring(fails_s, junction.spec), count()

    def policy(observation: npt.NDArray[np.float32], _: SignalView) -> Proposal:
        return Proposal(
            junction_id=junction.plan.junction_id,
            sequence=next(numbers),
            stamp_s=street.now_s,
            scores=erring.answer(observation, street.now_s),
        )

    street = StreetSimulation(junction, policy, guard=Hourly())
    street.start()
    lamps = []
    while not street.is_over:
        if street.now_s == REARMED_AT_S:
            street.shield.rearm()
        lamps.append(street.tick().lamps)
    street.close()
    return lamps


def lamps_in_the_loop_that_is_judged(fails_s: tuple[float, float]) -> list[str]:
    """Let the same policy drive the semi-Markov loop of learning and evaluation."""
    junction = Junction.derive(load_scenario('crossing', horizon_s=HORIZON_S))
    erring, guard = Erring(fails_s, junction.spec), Hourly()
    simulation = JunctionSimulation(junction)

    class Scorer:
        def scores(self, observation: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            return np.array(erring.answer(observation, simulation.now_s), np.float32)

    shielded = Shielded(Scorer(), Shield(junction.plan, guard=guard), guard)

    class Rearmed:
        def decide(self, moment: Moment) -> Decision:
            if moment.now_s >= REARMED_AT_S and not self.is_rearmed:
                self.is_rearmed = True
                shielded.shield.rearm()
            return shielded.decide(moment)

        is_rearmed = False

    simulation.start()
    drive(simulation, [Rearmed()])
    simulation.close()
    return simulation.lamp_log


def play_flash(_: None) -> tuple[list[str], list[str]]:
    """Let the sequencer fail after a minute; return what the cabinet and what SUMO showed."""
    policy = Policy()
    street = policy.street = StreetSimulation(Junction.derive(load_scenario('crossing')), policy)
    street.start()
    signal, junction_id = street.simulation.api.trafficlight, street.junction.plan.junction_id
    sound = street.cabinet.sequencer.step
    shown, seen = [], []
    for second in range(120):
        if second == 60:
            street.cabinet.sequencer.step = lambda calls=None: 'G' * 16  # type: ignore[method-assign]
        if second == 90:
            street.cabinet.sequencer.step = sound  # type: ignore[method-assign]
            street.cabinet.reset()
        shown.append(street.tick().lamps)
        seen.append(signal.getRedYellowGreenState(junction_id))
    street.close()
    return shown, seen
