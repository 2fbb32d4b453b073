"""Derives a ``SignalPlan`` from a network's program and its right-of-way data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from saferl_ros.errors import ScenarioError, SignalPlanError
from saferl_ros.signals.clearance import MIN_WALK_S, PROFILES
from saferl_ros.signals.plan import Link, ProgramInterval, SignalPlan, TURN_DIRECTIONS
from saferl_ros.sumo.legal import with_legal_clearances
from saferl_ros.sumo.network import Connection, Network
from saferl_ros.sumo.program_clearances import (
    also_clears,
    program_clearances,
    ShownClearance,
    with_program_clearances,
)
from saferl_ros.sumo.settings import DEFAULT_LIMITS, PlanLimits
from saferl_ros.sumo.stages import green_phases, Matrix, stages_of

RESCO_YELLOW_S = 3.0  # RESCO's map configuration for all maps but one
RESCO_ARTERIAL_YELLOW_S = 2.0  # the same file, arterial4x4


def signal_ids(network: Network) -> list[str]:
    """Return the signals that have links and at least two stages, in the network's order."""
    return [
        tls_id
        for tls_id in network.programs
        if network.signalised(tls_id) and len(green_phases(network, tls_id)) > 1
    ]


def ids_without_choice(network: Network) -> list[str]:
    """Return the signals that have links and fewer than two stages: nothing is decided there."""
    usable = set(signal_ids(network))
    return [n for n in network.programs if network.signalised(n) and n not in usable]


def pick_junction(network: Network, junction_id: str | None) -> str:
    """
    Return the signal to control: the one named, or the only one there is.

    :raises ScenarioError: if there is none, several and no name, or the name is unknown.
    """
    usable = signal_ids(network)
    signalised = [tls_id for tls_id in network.programs if network.signalised(tls_id)]
    if not signalised:
        raise ScenarioError(
            f"network '{network.path.name}' has no traffic signal to control; give a network "
            'whose junctions have signal programs'
        )
    if junction_id is None:
        if not usable:
            raise ScenarioError(
                f"junction '{signalised[0]}' has one stage only, so there is nothing to decide; "
                'at least two stages are needed'
            )
        if len(usable) > 1:
            raise ScenarioError(
                f"network '{network.path.name}' has {len(usable)} signals; name the one to "
                f'control with --junction, for example --junction {usable[0]}'
            )
        return usable[0]
    if junction_id not in signalised:
        raise ScenarioError(
            f"junction '{junction_id}' is no signal of '{network.path.name}'; "
            f'it has: {", ".join(signalised[:8])}{" …" if len(signalised) > 8 else ""}'
        )
    if junction_id not in usable:
        raise ScenarioError(
            f"junction '{junction_id}' has one stage only, so there is nothing to decide; "
            'at least two stages are needed'
        )
    return junction_id


def derive_plan(
    network: Network,
    junction_id: str,
    *,
    clearance: str = 'legal',
    step_s: float = 1.0,
    limits: PlanLimits = DEFAULT_LIMITS,
) -> SignalPlan:
    """
    Return the plan of one signal: the greens of its program under the named clearances.

    A stage that shows protected green to two conflicting movements is mended: the one that must
    give way turns permissive if it is a turn, and red otherwise. Whom that leaves without any
    green gets it in a stage more.

    :param network: the network as read.
    :param junction_id: a signal of the network.
    :param clearance: ``legal``, ``net`` or ``resco`` (see ``signals.clearance``).
    :param step_s: step of the simulation [s]; clearances are rounded up to it.
    :param limits: minimum and maximum green and red.
    :raises ScenarioError: if the signal is unknown or has fewer than two stages.
    :raises SignalPlanError: if the profile is unknown or no safe plan can be made.
    """
    if clearance not in PROFILES:
        raise SignalPlanError(
            f"clearance profile '{clearance}' is unknown; choose one of {', '.join(PROFILES)}"
        )
    pick_junction(network, junction_id)
    program = network.programs[junction_id]
    links = _links(network, junction_id, len(program.phases[0].lamps))
    foes, yields = _right_of_way(network, junction_id, len(links))
    greens = green_phases(network, junction_id)
    stages, stage_of_phase = stages_of(program, greens, links, foes, yields, limits)
    order = [stage_of_phase[phase] for phase in greens]
    shown = program_clearances(program, greens)
    n_links, n_stages = len(links), len(stages)
    zeros = ((0.0,) * n_stages,) * n_stages
    is_legal = clearance == 'legal'
    blank = SignalPlan(
        junction_id=junction_id,
        clearance=clearance,
        links=links,
        stages=stages,
        foes=foes,
        yields=yields,
        min_yellow_s=(0.0,) * n_links,
        min_red_s=((0.0,) * n_links,) * n_links,
        yellow_s=zeros,
        all_red_s=zeros,
        walk_clear_s=zeros,
        min_walk_s=tuple(
            (limits.walk_s or MIN_WALK_S) if is_legal and link.is_crossing else 0.0
            for link in links
        ),
        walk_clearance_s=(0.0,) * n_links,
        protected_turn_clears=is_legal,
        max_red_s=1e9,
        program=tuple(
            ProgramInterval(stage_index=stage, green_s=program.phases[phase].duration_s)
            for stage, phase in zip(order, greens, strict=True)
        ),
        offset_s=program.offset_s + sum(p.duration_s for p in program.phases[: greens[0]]),
    )
    if is_legal:
        plan = with_legal_clearances(blank, network, step_s, limits)
    else:
        if clearance == 'resco':
            is_arterial = 'arterial4x4' in network.path.name
            yellow_s = RESCO_ARTERIAL_YELLOW_S if is_arterial else RESCO_YELLOW_S
            shown = [ShownClearance(yellow_s=yellow_s) for _ in greens]
        if clearance == 'net':
            blank = replace(blank, also_clears=also_clears(program, greens, order, blank))
        plan = with_program_clearances(blank, order, shown)
    return replace(plan, max_red_s=max(limits.max_red_s, plan.round_s()))


def _links(network: Network, junction_id: str, n_lamps: int) -> tuple[Link, ...]:
    by_index: dict[int, list[Connection]] = {}
    for connection in network.signalised(junction_id):
        by_index.setdefault(connection.link_index or 0, []).append(connection)
    links = []
    for index in range(max([n_lamps, *(i + 1 for i in by_index)])):
        if index not in by_index:  # a lamp that nothing obeys
            links.append(
                Link(
                    index=index,
                    from_lane='',
                    to_lane='',
                    direction='s',
                    speed_mps=0.0,
                    crossing_m=0.0,
                )
            )
            continue
        links.append(_link(network, junction_id, index, by_index[index]))
    return tuple(links)


def _link(network: Network, junction_id: str, index: int, obey: Sequence[Connection]) -> Link:
    """
    Return the link of one lamp.

    Where several movements obey it, what asks for more holds for all: straight on before a turn,
    the longest way, the steepest way down.
    """
    speeds_mps = {network.lanes[c.from_lane].speed_mps for c in obey}
    if len(speeds_mps) > 1 or len({c.is_crossing for c in obey}) > 1:
        raise SignalPlanError(
            f"junction '{junction_id}': lamp {index} is shared by movements of different posted "
            'speeds, or by vehicles and people on foot, which need different clearances; give '
            "each its own with 'netconvert --tls.ungroup-signals'"
        )
    first = min(obey, key=lambda c: (c.direction in TURN_DIRECTIONS, c.direction in 'lLt'))
    return Link(
        index=index,
        from_lane=first.from_lane,
        to_lane=first.to_lane,
        direction=first.direction,
        speed_mps=speeds_mps.pop(),
        crossing_m=round(max(map(network.crossing_m, obey)), 2),
        grade_ratio=round(min(network.lanes[c.from_lane].grade_ratio for c in obey), 4),
        is_crossing=first.is_crossing,
        others=tuple((c.from_lane, c.to_lane) for c in obey if c is not first),
    )


def _right_of_way(network: Network, junction_id: str, n_links: int) -> tuple[Matrix, Matrix]:
    """
    Return the symmetric conflict matrix and who must give way to whom.

    :raises ScenarioError: if the network does not tell of a movement.
    :raises SignalPlanError: if movements behind one lamp conflict.
    """
    for c in network.signalised(junction_id):
        if (c.via_lane or c.to_lane) not in network.right_of_way:
            raise ScenarioError(
                f"junction '{junction_id}' of '{network.path.name}': the right of way from lane "
                f"'{c.from_lane}' to '{c.to_lane}' (lamp {c.link_index}) is not in the network, "
                'so nobody knows what it conflicts with; build it without '
                "'--no-internal-links', and with one lamp for each crossing"
            )
    foes = [[False] * n_links for _ in range(n_links)]
    yields = [[False] * n_links for _ in range(n_links)]
    placed = [
        (c.link_index or 0, network.right_of_way[c.via_lane or c.to_lane])
        for c in network.signalised(junction_id)
    ]
    for i, row in placed:
        for j, other in placed:
            if row is other or row.junction_id != other.junction_id:
                continue
            if row.foes[-1 - other.index : len(row.foes) - other.index] == '1':
                if i == j:
                    raise SignalPlanError(
                        f"junction '{junction_id}': lamp {i} is shared by movements that "
                        "conflict; give each its own with 'netconvert --tls.ungroup-signals'"
                    )
                foes[i][j] = foes[j][i] = True
            if row.response[-1 - other.index : len(row.response) - other.index] == '1':
                yields[i][j] = True
    return tuple(map(tuple, foes)), tuple(map(tuple, yields))
