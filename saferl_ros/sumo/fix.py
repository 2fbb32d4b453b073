"""Gives the signals of a network legal programs: same stages, order and cycle, full clearances."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from saferl_ros.signals.clearance import round_up_s
from saferl_ros.signals.plan import GREEN_LAMPS, SignalPlan
from saferl_ros.sumo.derive import derive_plan
from saferl_ros.sumo.logic_text import (
    changed_phase,
    find_logics,
    LogicText,
    phase_text,
    read_bytes,
    replace_logics,
    with_phases,
)
from saferl_ros.sumo.network import Network, ProgramPhase
from saferl_ros.sumo.preflight import ACTUATED
from saferl_ros.sumo.program_times import (
    Change,
    lasting_at_least,
    share_greens,
    split_change,
)
from saferl_ros.sumo.settings import NO_SETTINGS, PlanLimits, SignalSettings
from saferl_ros.sumo.stages import green_phases

FIXED_KINDS = ('static', *ACTUATED)  # kinds of program that run their phases one after the other


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What a program gives to vehicles."""

    cycle_s: float
    green_ratio: float  # time in stages that serve vehicles, one after the other, over the cycle
    greens_s: tuple[float, ...]  # of each stage, in the program's order


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalFix:
    """What the fix of one signal costs."""

    junction_id: str
    before: Capacity
    after: Capacity
    added_links: tuple[int, ...]  # links that got a stage of their own: no other may serve them

    @property
    def cycle_grows_s(self) -> float:
        """How much longer the cycle is because greens are at their minimum already [s]."""
        return round(self.after.cycle_s - self.before.cycle_s, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFix:
    """A network file with legal programs."""

    text: bytes
    signals: tuple[SignalFix, ...]
    left: dict[str, str]  # signals that stay as they are, and why


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One stage of the new program."""

    stage_index: int
    phase_index: int | None  # of the program as it stands; None for a stage that it lacks
    green_s: float
    min_green_s: float
    max_green_s: float | None  # maxDur, where stated
    gap_s: float  # from its end to the next stage in the program as it stands


def fix_network(
    network: Network,
    junction_ids: Iterable[str],
    step_s: float = 1.0,
    settings: SignalSettings = NO_SETTINGS,
) -> NetworkFix:
    """
    Return the network's file with a legal program for each of some signals.

    A program keeps its stages, mended as ``derive_plan`` mends them, their order, and its offset.
    Between two stages stands the change of the legal plan, and no shorter a time than stood there
    before. The time for it is taken from the greens, in proportion to what each has above its
    minimum; where that is not enough, the cycle grows. A crossing that never got walk, and a
    movement that mending leaves without any green, gets a stage at the end of the cycle. A green
    that lasts too long stays: what it is for, its engineer knows.

    Of several programs of one signal the last is changed: it is the one that SUMO runs.

    :param network: the network as read; its file must not have changed since.
    :param junction_ids: signals of it with two stages or more.
    :param step_s: step of the simulation [s]; every time is a whole number of steps.
    :param settings: what an engineer states of the junctions.
    :raises ScenarioError: if the file cannot be read.
    :raises SignalPlanError: if a signal has no legal plan.
    """
    data = read_bytes(network.path)
    logics = find_logics(data)
    signals, changed, left = [], {}, {}
    for junction_id in junction_ids:
        logic, program = logics[junction_id], network.programs[junction_id]
        kind = program.kind
        if program.file != network.path:
            left[junction_id] = (
                f"its program is that of '{program.file}', which is loaded after the network; "
                'check the network without that file, or write its program into the network'
            )
        elif kind not in FIXED_KINDS:
            left[junction_id] = (
                f"a program of type '{kind}' does not run its phases in their order; "
                f'only {", ".join(FIXED_KINDS)} can be fixed'
            )
        elif any('next' in phase.attributes for phase in logic.phases):
            left[junction_id] = "phases that name their 'next' cannot be numbered anew"
        else:
            limits = settings.of(junction_id)
            fix, changed[junction_id] = _fix_signal(network, logic, data, step_s, limits)
            signals.append(fix)
    return NetworkFix(text=replace_logics(data, changed), signals=tuple(signals), left=left)


def capacity(network: Network, junction_id: str) -> Capacity:
    """
    Return what a signal's program gives to vehicles.

    A pedestrian clearance counts as green: vehicles keep theirs. Stages in which only pedestrians
    walk do not, nor does any yellow or all-red.
    """
    phases = network.programs[junction_id].phases
    crossings = {c.link_index for c in network.signalised(junction_id) if c.is_crossing}

    def vehicles(n: int) -> str:
        return ''.join(lamp for i, lamp in enumerate(phases[n].lamps) if i not in crossings)

    greens = green_phases(network, junction_id)
    is_green = [
        n in greens and not GREEN_LAMPS.isdisjoint(vehicles(n)) for n in range(len(phases))
    ]
    for n in [*range(len(phases)), *range(len(phases))]:  # the last may go on in the first
        is_green[n] |= is_green[n - 1] and vehicles(n) == vehicles(n - 1)
    cycle_s = sum(phase.duration_s for phase in phases)
    green_s = sum(p.duration_s for p, shown in zip(phases, is_green, strict=True) if shown)
    return Capacity(
        cycle_s=round(cycle_s, 3),
        green_ratio=green_s / cycle_s,
        greens_s=tuple(phases[n].duration_s for n in greens),
    )


def _fix_signal(
    network: Network, logic: LogicText, data: bytes, step_s: float, limits: PlanLimits
) -> tuple[SignalFix, bytes]:
    """Return what the fix costs and the text of the new ``<tlLogic>``."""
    junction_id = logic.tls_id
    plan = derive_plan(network, junction_id, clearance='legal', step_s=step_s, limits=limits)
    program = network.programs[junction_id]
    parts = _parts(network, plan, logic)
    changes = [
        lasting_at_least(
            plan.change_lamps(a.stage_index, b.stage_index), round_up_s(a.gap_s, step_s)
        )
        for a, b in zip(parts, parts[1:] + parts[:1], strict=True)
    ]
    cycle_s = sum(phase.duration_s for phase in program.phases)
    greens_s = share_greens(
        [part.green_s for part in parts],
        [part.min_green_s for part in parts],
        cycle_s - sum(duration_s for change in changes for duration_s, _ in change),
        step_s,
    )
    texts: list[bytes] = []
    phases: list[ProgramPhase] = []

    def show(change: Change) -> None:
        texts.extend(phase_text(duration_s, lamps) for duration_s, lamps in change)
        phases.extend(ProgramPhase(duration_s=s, lamps=lamps) for s, lamps in change)

    lead_s = sum(phase.duration_s for phase in program.phases[: parts[0].phase_index])
    end, lead = split_change(changes[-1], lead_s)
    show(lead)
    for part, green_s, change in zip(parts, greens_s, [*changes[:-1], end], strict=True):
        lamps = plan.stages[part.stage_index].lamps
        texts.append(_green_text(data, logic, part, green_s, lamps))
        phases.append(ProgramPhase(duration_s=green_s, lamps=lamps, max_green_s=part.max_green_s))
        show(change)
    after = replace(network, programs={junction_id: replace(program, phases=tuple(phases))})
    fix = SignalFix(
        junction_id=junction_id,
        before=capacity(network, junction_id),
        after=capacity(after, junction_id),
        added_links=_added_links(plan, parts),
    )
    return fix, with_phases(data, logic, texts)


def _added_links(plan: SignalPlan, parts: list[_Part]) -> tuple[int, ...]:
    """Return the links that only stages serve which the program lacked."""
    old, new = (
        {
            link
            for p in parts
            if (p.phase_index is None) is is_new
            for link in plan.greens(p.stage_index)
        }
        for is_new in (False, True)
    )
    return tuple(sorted(new - old))


def _parts(network: Network, plan: SignalPlan, logic: LogicText) -> list[_Part]:
    """Return the stages of the new program; a stage that follows itself is one part."""
    phases = network.programs[plan.junction_id].phases
    greens = green_phases(network, plan.junction_id)
    parts: list[_Part] = []
    for n, (interval, phase) in enumerate(zip(plan.program, greens, strict=True)):
        following = greens[(n + 1) % len(greens)]
        between = range(phase + 1, following if following > phase else following + len(phases))
        stated = logic.phases[phase].attributes if phase < len(logic.phases) else {}
        least_s = plan.stages[interval.stage_index].min_green_s
        part = _Part(
            stage_index=interval.stage_index,
            phase_index=phase if phase < len(logic.phases) else None,
            green_s=interval.green_s,
            min_green_s=max(least_s, float(stated.get('minDur', 0.0))),
            max_green_s=float(stated['maxDur']) if 'maxDur' in stated else None,
            gap_s=sum(phases[i % len(phases)].duration_s for i in between),
        )
        if parts and parts[-1].stage_index == part.stage_index:
            part = _joined(parts.pop(), part)
        parts.append(part)
    for stage in range(plan.n_stages):
        if all(part.stage_index != stage for part in parts):
            least_s = plan.stages[stage].min_green_s
            parts.append(
                _Part(
                    stage_index=stage,
                    phase_index=None,
                    green_s=least_s,
                    min_green_s=least_s,
                    max_green_s=None,
                    gap_s=0.0,
                )
            )
    return parts


def _joined(first: _Part, second: _Part) -> _Part:
    """Return two parts that show the same stage as one."""
    longest_s = [p.max_green_s for p in (first, second) if p.max_green_s is not None]
    return replace(
        second,
        phase_index=first.phase_index,
        green_s=first.green_s + first.gap_s + second.green_s,
        min_green_s=max(first.min_green_s, second.min_green_s),
        max_green_s=sum(longest_s) if longest_s else None,
    )


def _green_text(data: bytes, logic: LogicText, part: _Part, green_s: float, lamps: str) -> bytes:
    if part.phase_index is None:
        return phase_text(green_s, lamps)
    phase = logic.phases[part.phase_index]
    seconds = {'duration': green_s}
    if 'minDur' in phase.attributes:
        seconds['minDur'] = part.min_green_s
    if part.max_green_s is not None and 'maxDur' in phase.attributes:
        seconds['maxDur'] = max(part.max_green_s, green_s)
    return changed_phase(data, phase, lamps, **seconds)
