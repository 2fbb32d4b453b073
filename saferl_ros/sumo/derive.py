"""Derives a ``SignalPlan`` from a network's program and its right-of-way data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from saferl_ros.errors import ScenarioError, SignalPlanError
from saferl_ros.signals.clearance import MIN_WALK_S, PROFILES
from saferl_ros.signals.plan import (
    GREEN_LAMPS,
    Link,
    ProgramInterval,
    SignalPlan,
    Stage,
    TURN_DIRECTIONS,
)
from saferl_ros.sumo.legal import with_legal_clearances
from saferl_ros.sumo.network import Connection, Network, Program
from saferl_ros.sumo.settings import DEFAULT_LIMITS, DEFAULT_MAX_GREEN_S, PlanLimits

RESCO_YELLOW_S = 3.0  # RESCO's map configuration for all maps but one
RESCO_ARTERIAL_YELLOW_S = 2.0  # the same file, arterial4x4
LONGEST_ALL_RED_S = 12.0  # of a program, at a very wide junction; what lasts longer is a stage
HAS_RIGHT = frozenset('GgoO')  # o and O: no signal, drivers decide
Matrix = tuple[tuple[bool, ...], ...]


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
    stages, stage_of_phase = _stages(program, greens, links, foes, yields, limits)
    order = [stage_of_phase[phase] for phase in greens]
    shown = _program_clearances(program, greens)
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
            shown = [_Shown(yellow_s=yellow_s) for _ in greens]
        if clearance == 'net':
            blank = replace(blank, also_clears=_also_clears(program, greens, order, blank))
        plan = _with_program_clearances(blank, order, shown)
    return replace(plan, max_red_s=max(limits.max_red_s, plan.round_s()))


def green_phases(network: Network, junction_id: str) -> list[int]:
    """
    Return the phases of a program that are stages: some green and no yellow.

    A phase that only takes the walk away from the one before is that one's pedestrian clearance;
    one after a yellow in which nothing is green but what stays green all along is an all-red.
    """
    phases = network.programs[junction_id].phases
    crossings = {c.link_index for c in network.signalised(junction_id) if c.is_crossing}

    def is_walk_clearance(n: int) -> bool:
        before, now = phases[n - 1].lamps, phases[n].lamps
        changed = {i for i, (a, b) in enumerate(zip(before, now, strict=False)) if a != b}
        return bool(changed) and changed <= crossings and all(now[i] == 'r' for i in changed)

    def is_all_red(n: int) -> bool:
        before, now, after = (phases[k % len(phases)].lamps for k in (n - 1, n, n + 1))
        return (
            phases[n].duration_s <= LONGEST_ALL_RED_S
            and 'y' in before
            and 'y' not in after
            and now != after
            and all(
                was == is_now and will_be in GREEN_LAMPS
                for was, is_now, will_be in zip(before, now, after, strict=False)
                if is_now in GREEN_LAMPS
            )
        )

    return [
        n
        for n, phase in enumerate(phases)
        if 'y' not in phase.lamps
        and 'u' not in phase.lamps
        and not GREEN_LAMPS.isdisjoint(phase.lamps)
        and not is_walk_clearance(n)
        and not is_all_red(n)
    ]


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
        stated = program.phases[phase]
        lamps = mend_lamps(
            stated.lamps.ljust(len(links), 'r'),
            links,
            foes,
            yields,
            is_exclusive=limits.pedestrians == 'exclusive',
        )
        if lamps not in known:
            known[lamps] = len(stages)
            stage = _stage(lamps, links, limits, stated.max_green_s, stated.duration_s)
            if stage.max_green_s > (limits.max_green_s or stage.max_green_s):
                raise SignalPlanError(
                    f"junction '{program.tls_id}', stage {len(stages)}: max_green_s = "
                    f'{limits.max_green_s:g} is shorter than its green of {stated.duration_s:g} s '
                    f'in the program, or its minimum green of {stage.min_green_s:g} s; state at '
                    f'least {stage.max_green_s:g}, or shorten the program'
                )
            stages.append(stage)
        stage_of_phase[phase] = known[lamps]
    had_right = {
        link
        for phase in program.phases
        for link, lamp in enumerate(phase.lamps)
        if lamp in HAS_RIGHT and links[link].ways
    }
    while True:  # vehicles that mending leaves without any green get it in one stage more
        without = {link for link in had_right if all(stage.lamps[link] in 'r' for stage in stages)}
        if not without:
            break
        lamps = ''.join('G' if link in without else 'r' for link in range(len(links)))
        stages.append(_stage(mend_lamps(lamps, links, foes, yields), links, limits, None, 0.0))
    left_out = [
        link.index
        for link in links
        if link.is_crossing and not any(stage.lamps[link.index] == 'G' for stage in stages)
    ]
    if left_out:  # nobody else walks in this junction's stages, so all of them walk in one more
        lamps = ''.join('G' if link in left_out else 'r' for link in range(len(links)))
        stages.append(_stage(lamps, links, limits, None, 0.0))
    return tuple(stages), stage_of_phase


def _stage(
    lamps: str,
    links: tuple[Link, ...],
    limits: PlanLimits,
    stated_max_s: float | None,
    stated_s: float,
) -> Stage:
    has_walk = any(link.is_crossing and lamps[link.index] in GREEN_LAMPS for link in links)
    least_s = max(limits.min_green_s, (limits.walk_s or MIN_WALK_S) if has_walk else 0.0)
    longest_s = limits.max_green_s or stated_max_s or DEFAULT_MAX_GREEN_S
    return Stage(lamps=lamps, min_green_s=least_s, max_green_s=max(longest_s, stated_s, least_s))


def mend_lamps(
    lamps: str,
    links: tuple[Link, ...],
    foes: Matrix,
    yields: Matrix,
    *,
    is_exclusive: bool = False,
) -> str:
    """
    Return ``lamps`` without conflicting greens.

    Of two conflicting greens the link that must give way becomes permissive if it is a turn, red
    otherwise; if both must (or neither), the turn of the two is the one that changes. A crossing
    that meets other traffic than turns stays red.

    :param is_exclusive: pedestrians share their time with no turn either.
    """
    mended = [lamp if lamp in 'Ggs' else 'r' for lamp in lamps]
    for link in links:
        if link.is_crossing and mended[link.index] != 'r':
            mended[link.index] = 'G'  # walk is walk

    def gives_way(i: int, j: int) -> bool:
        return mended[i] == 'g' and links[i].is_turn and yields[i][j]

    for i in range(len(links)):
        for j in range(i + 1, len(links)):
            if not foes[i][j] or mended[i] not in GREEN_LAMPS or mended[j] not in GREEN_LAMPS:
                continue
            crossing = next((n for n in (i, j) if links[n].is_crossing), None)
            if crossing is not None and is_exclusive:
                mended[crossing] = 'r'
            elif gives_way(i, j) or gives_way(j, i):
                continue
            elif links[i].is_turn and yields[i][j]:
                mended[i] = 'g'
            elif links[j].is_turn and yields[j][i]:
                mended[j] = 'g'
            elif crossing is not None:
                mended[crossing] = 'r'
            else:
                mended[i if yields[i][j] else j] = 'r'
    walking = [link.index for link in links if link.is_crossing and mended[link.index] == 'G']
    for i, link in enumerate(links):  # a turn after a stop is one, and beside a walk that shares
        if mended[i] == 's' and (
            not link.is_turn or (is_exclusive and any(foes[i][n] for n in walking))
        ):
            mended[i] = 'r'
    return ''.join(mended)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What a program shows between one green phase and the next [s]."""

    walk_clear_s: float = 0.0
    yellow_s: float = 0.0
    all_red_s: float = 0.0


def _program_clearances(program: Program, greens: list[int]) -> list[_Shown]:
    """Return the clearance that follows each green phase of the program."""
    found = []
    n_phases = len(program.phases)
    for n, phase in enumerate(greens):
        following = greens[(n + 1) % len(greens)]
        walk_s = yellow_s = all_red_s = 0.0
        between = (phase + 1) % n_phases
        while between != following:
            part = program.phases[between]
            if 'y' in part.lamps:
                yellow_s += part.duration_s
            elif yellow_s == 0.0 and not GREEN_LAMPS.isdisjoint(part.lamps):
                walk_s += part.duration_s
            else:
                all_red_s += part.duration_s
            between = (between + 1) % n_phases
        found.append(_Shown(walk_clear_s=walk_s, yellow_s=yellow_s, all_red_s=all_red_s))
    return found


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
    plan: SignalPlan, order: list[int], shown: list[_Shown]
) -> SignalPlan:
    """Give each change the clearance that the program shows after the stage it leaves."""
    stages = range(plan.n_stages)
    names = ('walk_clear_s', 'yellow_s', 'all_red_s')
    values = {name: [[0.0 for _ in stages] for _ in stages] for name in names}
    for n, a in enumerate(order):
        for b in stages:
            # RESCO and sumo-rl run a yellow at every change, even where no link loses green
            if plan.losing(a, b) or (plan.clearance == 'resco' and a != b):
                for name, matrix in values.items():
                    matrix[a][b] = max(matrix[a][b], getattr(shown[n], name))
    for n, a in enumerate(order):  # the program's own changes are kept to the second
        b = order[(n + 1) % len(order)]
        if order.count(a) == 1 and a != b:
            for name, matrix in values.items():
                matrix[a][b] = getattr(shown[n], name)

    def shortest(link: int, *of: str) -> float:
        return min(
            (
                sum(values[name][a][b] for name in of)
                for a in stages
                for b in stages
                if link in plan.losing(a, b)
            ),
            default=0.0,
        )

    vehicles = [not link.is_crossing for link in plan.links]
    walk_clear_s, yellow_s, all_red_s = (tuple(map(tuple, values[name])) for name in names)
    return replace(
        plan,
        walk_clear_s=walk_clear_s,
        yellow_s=yellow_s,
        all_red_s=all_red_s,
        min_yellow_s=tuple(shortest(i, 'yellow_s') * v for i, v in enumerate(vehicles)),
        min_red_s=tuple(
            (shortest(i, 'all_red_s') * v,) * plan.n_links for i, v in enumerate(vehicles)
        ),
        walk_clearance_s=tuple(shortest(i, *names) * (not v) for i, v in enumerate(vehicles)),
    )
