"""Holds a network's own programs against the rules, before anything is simulated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import math

from saferl_ros.signals import ConflictMonitor, Fault, Link, program_card_of, SignalPlan
from saferl_ros.signals.clearance import MIN_WALK_S, WALKING_MPS
from saferl_ros.signals.plan import GREEN_LAMPS
from saferl_ros.sumo.derive import derive_plan, signal_ids
from saferl_ros.sumo.logic_text import find_logics, read_bytes
from saferl_ros.sumo.network import Network, Program
from saferl_ros.sumo.settings import DEFAULT_LIMITS, NO_SETTINGS, PlanLimits, SignalSettings
from saferl_ros.sumo.stages import green_phases

SOURCES = {
    'conflicting_greens': "right-of-way table of the network's junction",
    'short_green': 'minimum green of the plan',
    'short_yellow': 'ITE kinematic equation from the posted speed; MUTCD 4D.26: 3 to 6 s',
    'missing_yellow': 'MUTCD 4D.26: a yellow follows every green',
    'short_all_red': 'ITE red clearance (W + L) / v - 1 s along the paths, at least 1 s',
    'short_walk': 'MUTCD 4E.06: walk of at least 7 s',
    'short_walk_clearance': 'MUTCD 4E.06: 3.5 ft/s from kerb to kerb',
    'no_walk': 'MUTCD 4E.06: walk of at least 7 s',
    'turn_beside_walk': "pedestrians: exclusive, stated in the junction's settings",
    'red_failure': 'MUTCD 4D.05: every movement has an indication at all times',
    'long_green': 'maximum green of the plan',
    'long_red': 'maximum red of the plan',
}
TURNS = 'NCHRP 731 for turns'  # see signals.clearance
LEFTS = 'lLt'  # directions whose yellow it shortens
STATED = "stated in the junction's settings"
AT_MOST = frozenset(
    {'conflicting_greens', 'turn_beside_walk', 'long_green', 'long_red'}
)  # the others: at least
PAIRED = frozenset({'conflicting_greens', 'turn_beside_walk'})  # one finding for each foe
DIRECTIONS = {
    's': 'straight',
    'l': 'left',
    'L': 'partly left',
    'r': 'right',
    'R': 'partly right',
    't': 'turn-around',
}
ACTUATED = ('actuated', 'delay_based')  # kinds of program whose greens last minDur to maxDur
MOST_CYCLES = 100  # to play a cycle that is no whole number of steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    One rule that one link of a junction's program breaks, at its worst.

    ``found`` and ``required`` are seconds. Of conflicting greens and of turns beside a walk
    ``found`` is how long both are shown together in a cycle; of a red failure both count lamps.
    """

    rule: str
    link: int  # of a clearance the link that ends; -1 where it is the whole signal
    movement: str  # the link in words
    foe: int | None  # the other link, where the rule is about two: of a clearance the one to start
    foe_movement: str
    found: float
    required: float
    bound: str  # what required is: 'at least' or 'at most'
    source: str


def movement_in_words(link: Link) -> str:
    """Return what a link lets whom do."""
    if link.is_crossing:
        return f'crossing {link.to_lane.rpartition("_")[0]}'
    if not link.from_lane:
        return 'a lamp that nothing obeys'
    return f'{DIRECTIONS.get(link.direction, "")} {link.from_lane} → {link.to_lane}'.strip()


def check_junction(
    network: Network,
    junction_id: str,
    step_s: float = 1.0,
    limits: PlanLimits = DEFAULT_LIMITS,
) -> list[Finding]:
    """
    Play a junction's own program to the conflict monitor, every change of it.

    :param network: the network as read.
    :param junction_id: a signal of it with two stages or more.
    :param step_s: resolution of the check [s].
    :param limits: what an engineer states of the junction.
    :returns: the worst finding of each rule and link (of conflicting greens: pair), by link.
    """
    plan = derive_plan(network, junction_id, clearance='legal', step_s=step_s, limits=limits)
    program = network.programs[junction_id]
    # a monitor that begins within a yellow cannot know how long it has lasted, or what it ends
    first = green_phases(network, junction_id)[0]
    faults: list[Fault] = []
    for durations_s in _durations(network, program):
        monitor = ConflictMonitor(program_card_of(plan), step_s=step_s, keep=100_000)
        phases = [(d, phase.lamps) for d, phase in zip(durations_s, program.phases, strict=True)]
        begins_s = program.offset_s + sum(durations_s[:first])
        for lamps in play(phases[first:] + phases[:first], step_s=step_s, offset_s=begins_s):
            monitor.step(lamps)
        faults += monitor.faults
    worst: dict[tuple[object, ...], Finding] = {}
    for finding in [
        *(_finding(fault, plan, program, limits) for fault in faults),
        *_without_walk(plan, program),
        *(_beside_walks(plan, program) if limits.pedestrians == 'exclusive' else ()),
    ]:
        pair = finding.foe if finding.rule in PAIRED else None
        key = finding.rule, finding.link, pair
        known = worst.get(key)
        if known is None or abs(finding.required - finding.found) > abs(
            known.required - known.found
        ):
            worst[key] = finding
    return sorted(worst.values(), key=lambda f: (f.link, f.rule, f.foe or 0))


def check_network(
    network: Network, step_s: float = 1.0, settings: SignalSettings = NO_SETTINGS
) -> dict[str, list[Finding]]:
    """Return the findings of every signal of a network with two stages or more."""
    return {
        junction_id: check_junction(network, junction_id, step_s, settings.of(junction_id))
        for junction_id in signal_ids(network)
    }


def play(
    phases: Sequence[tuple[float, str]], *, step_s: float, offset_s: float = 0.0
) -> Iterator[str]:
    """
    Yield the lamps of each step as SUMO shows them, until every change has been seen.

    SUMO switches in the step in which a phase ends. So a phase of half a step shows or does not,
    depending on where in a step it begins; then the cycles go on until they begin in a step as the
    first one did.

    :param phases: durations [s] and lamps of a cycle.
    :param step_s: length of a step [s].
    :param offset_s: when the first cycle begins [s].
    """
    cycle_steps = sum(duration_s for duration_s, _ in phases) / step_s
    n_cycles = next(
        (n for n in range(1, MOST_CYCLES) if abs(n * cycle_steps - round(n * cycle_steps)) < 1e-6),
        MOST_CYCLES,
    )
    ends_at, n_shown = offset_s % step_s / step_s, 0
    for _ in range(n_cycles + 1):  # once more: the change from the last phase to the first
        for duration_s, lamps in phases:
            ends_at += duration_s / step_s
            until = math.floor(ends_at + 1e-6)
            for _ in range(until - n_shown):
                yield lamps
            n_shown = until


def _durations(network: Network, program: Program) -> list[list[float]]:
    """Return the durations to play: the stated ones and, where greens vary, the shortest."""
    stated_s = [phase.duration_s for phase in program.phases]
    if program.kind not in ACTUATED:
        return [stated_s]
    phases = find_logics(read_bytes(program.file))[program.tls_id].phases
    shortest_s = [
        float(phase.attributes.get('minDur', duration_s))
        for phase, duration_s in zip(phases, stated_s, strict=True)
    ]
    return [stated_s, shortest_s]


def _finding(fault: Fault, plan: SignalPlan, program: Program, limits: PlanLimits) -> Finding:
    has_foe = fault.rule != 'long_green' and len(fault.links) > 1
    link, foe = [*fault.links, -1][0], fault.links[1] if has_foe else None
    found = fault.found
    if fault.rule == 'conflicting_greens':
        found = _shown_together_s(plan, program).get((fault.links[0], fault.links[1]), 0.0)
    return Finding(
        rule=fault.rule,
        link=link,
        movement=movement_in_words(plan.links[link]) if link >= 0 else '',
        foe=foe,
        foe_movement='' if foe is None else movement_in_words(plan.links[foe]),
        found=found,
        required=fault.required,
        bound='at most' if fault.rule in AT_MOST else 'at least',
        source=_source(fault.rule, plan.links[link], limits),
    )


def _source(rule: str, link: Link, limits: PlanLimits) -> str:
    stated = {'short_yellow': limits.yellow_s, 'short_all_red': limits.all_red_s}.get(rule, {})
    is_slow = rule == 'short_walk_clearance' and limits.walking_mps != WALKING_MPS
    if link.index in stated or is_slow:
        return STATED
    is_slower = {'short_yellow': link.direction in LEFTS, 'short_all_red': link.is_turn}
    return SOURCES[rule] + f'; {TURNS}' * is_slower.get(rule, False)


def _shown_together_s(plan: SignalPlan, program: Program) -> dict[tuple[int, int], float]:
    """Return how long a cycle shows each pair of conflicting greens [s]; yellow is the green."""
    together_s: dict[tuple[int, int], float] = defaultdict(float)
    rights = program.phases[-1].lamps
    for is_known in (False, True):  # the first round finds what a yellow at its start ends
        for phase in program.phases:
            rights = ''.join(
                before if lamp == 'y' else lamp
                for before, lamp in zip(rights, phase.lamps, strict=False)
            )
            for pair in plan.conflicts(rights) if is_known else ():
                together_s[pair] += phase.duration_s
    return together_s


def _without_walk(plan: SignalPlan, program: Program) -> Iterator[Finding]:
    """Yield a finding for every crossing on which nobody ever walks."""
    for link in plan.links:
        shown = {phase.lamps[link.index : link.index + 1] for phase in program.phases}
        if link.is_crossing and GREEN_LAMPS.isdisjoint(shown):
            yield Finding(
                rule='no_walk',
                link=link.index,
                movement=movement_in_words(link),
                foe=None,
                foe_movement='',
                found=0.0,
                required=plan.min_walk_s[link.index] or MIN_WALK_S,
                bound='at least',
                source=SOURCES['no_walk'],
            )


def _beside_walks(plan: SignalPlan, program: Program) -> Iterator[Finding]:
    """Yield a finding for every vehicle link that may go, or turn on red, across a walk."""
    for link in plan.links:
        for other in plan.links:
            if link.is_crossing or not other.is_crossing or not plan.foes[link.index][other.index]:
                continue
            shared_s = sum(
                phase.duration_s
                for phase in program.phases
                if phase.lamps[link.index] in 'Ggs' and phase.lamps[other.index] in GREEN_LAMPS
            )
            if shared_s > 0:
                yield Finding(
                    rule='turn_beside_walk',
                    link=link.index,
                    movement=movement_in_words(link),
                    foe=other.index,
                    foe_movement=movement_in_words(other),
                    found=shared_s,
                    required=0.0,
                    bound='at most',
                    source=SOURCES['turn_beside_walk'],
                )
