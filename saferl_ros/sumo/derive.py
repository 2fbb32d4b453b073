"""Derives a ``SignalPlan`` from a network's program and its right-of-way data."""

from __future__ import annotations

from dataclasses import dataclass, replace

from saferl_ros.errors import ScenarioError, SignalPlanError
from saferl_ros.signals.clearance import (
    kinematic_yellow_s,
    PROFILES,
    red_clearance_s,
    round_up_s,
)
from saferl_ros.signals.plan import (
    GREEN_LAMPS,
    Link,
    ProgramInterval,
    SignalPlan,
    Stage,
    TURN_DIRECTIONS,
)
from saferl_ros.sumo.network import Connection, Network, Program

RESCO_YELLOW_S = 3.0  # RESCO's map configuration for all maps but one
RESCO_ARTERIAL_YELLOW_S = 2.0  # the same file, arterial4x4
Matrix = tuple[tuple[bool, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLimits:
    """
    Bounds for what the network does not state; the defaults are ordinary practice.

    Greens that no plan ever showed are where a learned policy is most likely to be wrong, so the
    maximum is near what plans show: a stage's stated ``maxDur``, else 60 s, and never less than
    the green it has in the program.
    """

    min_green_s: float = 5.0
    max_green_s: float | None = None  # set, it holds for every stage
    max_red_s: float = 150.0  # raised where a junction cannot serve everybody in that time


DEFAULT_MAX_GREEN_S = 60.0
DEFAULT_LIMITS = PlanLimits()


def signal_ids(network: Network) -> list[str]:
    """Return the signals that have links and at least two stages, in the network's order."""
    return [
        tls_id
        for tls_id, program in network.programs.items()
        if network.signalised(tls_id) and len(_green_phases(program)) > 1
    ]


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
    give way turns permissive if it is a turn, and red otherwise.

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
    greens = _green_phases(program)
    stages, stage_of_phase = _stages(program, greens, links, foes, yields, limits)
    order = [stage_of_phase[phase] for phase in greens]
    yellows, all_reds = _program_clearances(program, greens)
    n_stages = len(stages)
    blank = SignalPlan(
        junction_id=junction_id,
        clearance=clearance,
        links=links,
        stages=stages,
        foes=foes,
        yields=yields,
        min_yellow_s=(0.0,) * len(links),
        min_all_red_s=(0.0,) * len(links),
        yellow_s=((0.0,) * n_stages,) * n_stages,
        all_red_s=((0.0,) * n_stages,) * n_stages,
        protected_turn_clears=clearance == 'legal',
        max_red_s=1e9,
        program=tuple(
            ProgramInterval(stage_index=stage, green_s=program.phases[phase].duration_s)
            for stage, phase in zip(order, greens, strict=True)
        ),
        offset_s=program.offset_s,
    )
    if clearance == 'legal':
        plan = _with_legal_clearances(blank, step_s)
    else:
        if clearance == 'resco':
            is_arterial = 'arterial4x4' in network.path.name
            yellow_s = RESCO_ARTERIAL_YELLOW_S if is_arterial else RESCO_YELLOW_S
            yellows, all_reds = [yellow_s] * len(greens), [0.0] * len(greens)
        if clearance == 'net':
            blank = replace(blank, also_clears=_also_clears(program, greens, order, blank))
        plan = _with_program_clearances(blank, order, yellows, all_reds)
    return replace(plan, max_red_s=max(limits.max_red_s, plan.round_s()))


def _green_phases(program: Program) -> list[int]:
    """Return the phases that are stages: some green and no yellow."""
    return [
        n
        for n, phase in enumerate(program.phases)
        if 'y' not in phase.lamps
        and 'u' not in phase.lamps
        and not GREEN_LAMPS.isdisjoint(phase.lamps)
    ]


def _links(network: Network, junction_id: str, n_lamps: int) -> tuple[Link, ...]:
    by_index: dict[int, Connection] = {}
    for connection in network.signalised(junction_id):
        by_index.setdefault(connection.link_index or 0, connection)
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
        connection = by_index[index]
        is_crossing = connection.from_lane.startswith(':')
        links.append(
            Link(
                index=index,
                from_lane=connection.from_lane,
                to_lane=connection.to_lane,
                direction=connection.direction,
                speed_mps=network.lanes[connection.from_lane].speed_mps,
                crossing_m=round(network.crossing_m(connection), 2),
                is_crossing=is_crossing,
            )
        )
    return tuple(links)


def _right_of_way(network: Network, junction_id: str, n_links: int) -> tuple[Matrix, Matrix]:
    """Return the symmetric conflict matrix and who must give way to whom."""
    foes = [[False] * n_links for _ in range(n_links)]
    yields = [[False] * n_links for _ in range(n_links)]
    placed = [
        (c.link_index or 0, network.right_of_way[c.via_lane or c.to_lane])
        for c in network.signalised(junction_id)
        if (c.via_lane or c.to_lane) in network.right_of_way
    ]
    for i, row in placed:
        for j, other in placed:
            if i == j or row.junction_id != other.junction_id:
                continue
            if row.foes[-1 - other.index : len(row.foes) - other.index] == '1':
                foes[i][j] = foes[j][i] = True
            if row.response[-1 - other.index : len(row.response) - other.index] == '1':
                yields[i][j] = True
    return tuple(map(tuple, foes)), tuple(map(tuple, yields))


def _stages(
    program: Program,
    greens: list[int],
    links: tuple[Link, ...],
    foes: Matrix,
    yields: Matrix,
    limits: PlanLimits,
) -> tuple[tuple[Stage, ...], dict[int, int]]:
    """Return the distinct stages, and which of them each green phase of the program is."""
    stages: list[Stage] = []
    stage_of_phase = {}
    known: dict[str, int] = {}
    for phase in greens:
        lamps = mend_lamps(program.phases[phase].lamps.ljust(len(links), 'r'), links, foes, yields)
        if lamps not in known:
            known[lamps] = len(stages)
            stated = program.phases[phase]
            longest_s = limits.max_green_s or stated.max_green_s or DEFAULT_MAX_GREEN_S
            stages.append(
                Stage(
                    lamps=lamps,
                    min_green_s=limits.min_green_s,
                    max_green_s=max(longest_s, stated.duration_s),
                )
            )
        stage_of_phase[phase] = known[lamps]
    return tuple(stages), stage_of_phase


def mend_lamps(lamps: str, links: tuple[Link, ...], foes: Matrix, yields: Matrix) -> str:
    """
    Return ``lamps`` without conflicting greens.

    Of two conflicting greens the link that must give way becomes permissive if it is a turn, red
    otherwise; if both must (or neither), the turn of the two is the one that changes.
    """
    mended = [lamp if lamp in 'Ggs' else 'r' for lamp in lamps]
    turns = [link.direction in TURN_DIRECTIONS for link in links]

    def gives_way(i: int, j: int) -> bool:
        return mended[i] == 'g' and turns[i] and yields[i][j]

    for i in range(len(links)):
        for j in range(i + 1, len(links)):
            if not foes[i][j] or mended[i] not in GREEN_LAMPS or mended[j] not in GREEN_LAMPS:
                continue
            if gives_way(i, j) or gives_way(j, i):
                continue
            if turns[i] and yields[i][j]:
                mended[i] = 'g'
            elif turns[j] and yields[j][i]:
                mended[j] = 'g'
            else:
                mended[i if yields[i][j] else j] = 'r'
    return ''.join(mended)


def _program_clearances(program: Program, greens: list[int]) -> tuple[list[float], list[float]]:
    """Return the yellow and all-red that follow each green phase of the program [s]."""
    yellows, all_reds = [], []
    n_phases = len(program.phases)
    for n, phase in enumerate(greens):
        following = greens[(n + 1) % len(greens)]
        yellow_s = all_red_s = 0.0
        between = (phase + 1) % n_phases
        while between != following:
            part = program.phases[between]
            if 'y' in part.lamps:
                yellow_s += part.duration_s
            else:
                all_red_s += part.duration_s
            between = (between + 1) % n_phases
        yellows.append(yellow_s)
        all_reds.append(all_red_s)
    return yellows, all_reds


def _also_clears(
    program: Program, greens: list[int], order: list[int], plan: SignalPlan
) -> tuple[tuple[int, int, tuple[int, ...]], ...]:
    """Return the links that the program clears between two stages that both give them a right."""
    found = {}
    for n, phase in enumerate(greens):
        a, b = order[n], order[(n + 1) % len(order)]
        between = program.phases[(phase + 1) % len(program.phases)]
        losing = plan.losing(a, b)
        before, after = plan.stages[a].lamps, plan.stages[b].lamps
        links = tuple(
            link
            for link, lamp in enumerate(between.lamps)
            if (lamp == 'y' and link not in losing and before[link] in GREEN_LAMPS)
            or (lamp == 'r' and before[link] == 's' and after[link] != 'r')
        )
        if links and a != b:
            found[a, b] = links
    return tuple((a, b, links) for (a, b), links in found.items())


def _with_program_clearances(
    plan: SignalPlan, order: list[int], yellows: list[float], all_reds: list[float]
) -> SignalPlan:
    """Give each change the clearance that the program shows after the stage it leaves."""
    n_stages = plan.n_stages
    yellow_s = [[0.0] * n_stages for _ in range(n_stages)]
    all_red_s = [[0.0] * n_stages for _ in range(n_stages)]
    for n, a in enumerate(order):
        for b in range(n_stages):
            # RESCO and sumo-rl run a yellow at every change, even where no link loses green
            if plan.losing(a, b) or (plan.clearance == 'resco' and a != b):
                yellow_s[a][b] = max(yellow_s[a][b], yellows[n])
                all_red_s[a][b] = max(all_red_s[a][b], all_reds[n])
    for n, a in enumerate(order):  # the program's own changes are kept to the second
        b = order[(n + 1) % len(order)]
        if order.count(a) == 1 and a != b:
            yellow_s[a][b], all_red_s[a][b] = yellows[n], all_reds[n]

    def shortest(link: int, values: list[list[float]]) -> float:
        return min(
            (
                values[a][b]
                for a in range(n_stages)
                for b in range(n_stages)
                if link in plan.losing(a, b)
            ),
            default=0.0,
        )

    return replace(
        plan,
        yellow_s=tuple(map(tuple, yellow_s)),
        all_red_s=tuple(map(tuple, all_red_s)),
        min_yellow_s=tuple(shortest(link, yellow_s) for link in range(plan.n_links)),
        min_all_red_s=tuple(shortest(link, all_red_s) for link in range(plan.n_links)),
    )


def _with_legal_clearances(plan: SignalPlan, step_s: float) -> SignalPlan:
    """Give each change the longest yellow and red clearance among the links that lose green."""
    yellow = [round_up_s(kinematic_yellow_s(link.speed_mps), step_s) for link in plan.links]
    all_red = [
        round_up_s(red_clearance_s(link.crossing_m, link.speed_mps), step_s) for link in plan.links
    ]
    stages = range(plan.n_stages)

    def longest(values: list[float], a: int, b: int) -> float:
        return max((values[link] for link in plan.losing(a, b)), default=0.0)

    return replace(
        plan,
        min_yellow_s=tuple(yellow),
        min_all_red_s=tuple(all_red),
        yellow_s=tuple(tuple(longest(yellow, a, b) for b in stages) for a in stages),
        all_red_s=tuple(tuple(longest(all_red, a, b) for b in stages) for a in stages),
    )
