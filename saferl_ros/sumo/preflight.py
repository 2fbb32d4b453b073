"""Holds a network's own programs against the rules, before anything is simulated."""

from __future__ import annotations

from dataclasses import dataclass

from saferl_ros.signals import ConflictMonitor, program_card_of
from saferl_ros.sumo.derive import derive_plan, signal_ids
from saferl_ros.sumo.network import Network

SOURCES = {
    'conflicting_greens': "right-of-way table of the network's junction",
    'short_yellow': 'ITE kinematic equation from the posted speed; MUTCD 4D.26: 3 to 6 s',
    'missing_yellow': 'MUTCD 4D.26: a yellow follows every green',
    'short_all_red': 'ITE red clearance (W + L) / v from the geometry, at least 1 s',
    'red_failure': 'MUTCD 4D.05: every movement has an indication at all times',
    'long_green': 'maximum green of the plan',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule that one link of a junction's program breaks, at its worst."""

    rule: str
    link: int
    movement: str
    found: float
    required: float
    source: str


def check_junction(network: Network, junction_id: str, step_s: float = 1.0) -> list[Finding]:
    """
    Play two cycles of a junction's own program to the conflict monitor.

    :param network: the network as read.
    :param junction_id: a signal of it with two stages or more.
    :param step_s: resolution of the check [s].
    :returns: the worst finding of each rule and link, by link.
    """
    rules = derive_plan(network, junction_id, clearance='legal', step_s=step_s)
    monitor = ConflictMonitor(program_card_of(rules), step_s=step_s, keep=100_000)
    for _ in range(2):
        for phase in network.programs[junction_id].phases:
            for _ in range(max(1, round(phase.duration_s / step_s))):
                monitor.step(phase.lamps)
    worst: dict[tuple[str, int], Finding] = {}
    for fault in monitor.faults:
        link = fault.links[0] if fault.links else -1
        known = worst.get((fault.rule, link))
        if known is None or fault.found < known.found:
            movement = rules.links[link] if link >= 0 else None
            worst[fault.rule, link] = Finding(
                rule=fault.rule,
                link=link,
                movement=f'{movement.from_lane} → {movement.to_lane}' if movement else '',
                found=fault.found,
                required=fault.required,
                source=SOURCES[fault.rule],
            )
    return sorted(worst.values(), key=lambda f: (f.link, f.rule))


def check_network(network: Network, step_s: float = 1.0) -> dict[str, list[Finding]]:
    """Return the findings of every signal of a network with two stages or more."""
    return {
        junction_id: check_junction(network, junction_id, step_s)
        for junction_id in signal_ids(network)
    }
