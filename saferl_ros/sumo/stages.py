"""Stages of a signal: the green phases of its program, mended where greens conflict."""

from __future__ import annotations

from saferl_ros.errors import SignalPlanError
from saferl_ros.signals.clearance import MIN_WALK_S
from saferl_ros.signals.plan import GREEN_LAMPS, Link, Stage
from saferl_ros.sumo.network import Network, Program
from saferl_ros.sumo.settings import DEFAULT_MAX_GREEN_S, PlanLimits

LONGEST_ALL_RED_S = 12.0  # of a program, at a very wide junction; what lasts longer is a stage
HAS_RIGHT = frozenset('GgoO')  # o and O: no signal, drivers decide

Matrix = tuple[tuple[bool, ...], ...]


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


def stages_of(
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
