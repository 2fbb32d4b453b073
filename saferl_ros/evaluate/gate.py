"""The gate: may this policy command a junction? In shadow mode any policy may be watched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, Field

from saferl_ros.dataset.intervals import ratio_interval
from saferl_ros.errors import DatasetError
from saferl_ros.evaluate.degradation import BROKEN, KINDS
from saferl_ros.evaluate.judge import BASELINES
from saferl_ros.yaml_file import CONFIG

N_NAMED = 3  # collisions that a reason names


class GateConfig(BaseModel):
    """
    The limits.

    Delay and near misses are held to them by the upper end of their intervals, what must not
    happen by its sum over all demands, delay under disturbances by its mean.
    """

    model_config = CONFIG

    max_delay_over_net_plan: float = Field(default=1.0, gt=0)
    """Upper end of the interval of the ratio."""
    max_delay_over_actuated: float = Field(default=1.0, gt=0)
    """The same, over tuned actuated control."""
    max_delay_over_max_pressure: float = Field(default=1.0, gt=0)
    """The same, over tuned max-pressure."""
    max_wait_s: float = Field(default=300.0, gt=0)
    """How long a vehicle may stand [s]."""
    max_near_misses_over_net_plan: float = Field(default=1.0, gt=0)
    """Upper end of the interval of the ratio; what SUMO calls collisions are those on a lane."""
    max_extra_collisions: float = Field(default=0.0, ge=0)
    """Over net_plan, all demands."""
    max_extra_teleports: float = Field(default=0.0, ge=0)
    """Over net_plan, all demands."""
    max_monitor_faults: int = Field(default=0, ge=0)
    """All demands."""
    max_starved: int = Field(default=0, ge=0)
    """Movements that waited longer than the maximum red."""
    max_disturbed_over_net_plan: float = Field(default=1.0, gt=0)
    """Delay under each disturbance."""
    max_broken_over_own_plan: float = Field(default=1.05, gt=0)
    """Delay with broken detectors, over the plan that then takes over."""
    min_demands: int = Field(default=5, ge=2)
    """Fewer judged demands make no interval to decide by."""
    needs_fqe: bool = True
    """Fails whom fitted Q evaluation was not asked about."""
    needs_disturbances: bool = True
    """Fails whom nobody judged under every kind of disturbance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One limit, what was found, and whether it holds."""

    name: str
    found: float
    limit: float
    passed: bool
    reason: str


def judge_gate(evaluation: dict[str, Any], controller: str, config: GateConfig) -> list[Check]:
    """
    Return every check of one controller; it passes if all do.

    Delay limits hold only if the upper end of the 95 % interval of the ratio does.

    :raises DatasetError: if the evaluation has no such controller.
    """
    controllers = evaluation['controllers']
    if controller not in controllers:
        raise DatasetError(
            f"the evaluation has no controller '{controller}'; it has {', '.join(controllers)}"
        )
    if controller in BASELINES:
        judged = ', '.join(name for name in controllers if name not in BASELINES)
        raise DatasetError(
            f"'{controller}' is a baseline, which the gate holds policies against; it judges "
            f'{judged or "none here: evaluate with --bundle"}'
        )
    own = controllers[controller]
    n_demands = len(own['max_wait_s']['per_seed'])
    checks = [
        Check(
            name='demands',
            found=float(n_demands),
            limit=float(config.min_demands),
            passed=n_demands >= config.min_demands,
            reason=f'judged on {n_demands} demands, at least {config.min_demands} are needed',
        )
    ]
    for other, limit in (
        ('net_plan', config.max_delay_over_net_plan),
        ('actuated', config.max_delay_over_actuated),
        ('max_pressure', config.max_delay_over_max_pressure),
    ):
        ratio = evaluation['delay_ratios'][controller].get(other)
        if ratio is None:
            raise DatasetError(f"the evaluation has no '{other}' to compare with; evaluate again")
        text = (
            f'delay is {ratio["mean"]:.2f} of {other} '
            f'[{ratio["ci_low"]:.2f} to {ratio["ci_high"]:.2f}], '
            f'the upper end must not exceed {limit:.2f}'
        )
        checks.append(_check(f'delay over {other}', ratio['ci_high'], limit, text))
    teleport_s = float(evaluation['scenario']['time_to_teleport_s'])
    checks.append(_waited(own, teleport_s, config.max_wait_s))
    near = ratio_interval(
        own['conflicts']['per_seed'], controllers['net_plan']['conflicts']['per_seed']
    )
    text = (
        f'near misses are {near.mean:.2f} of net_plan [{near.ci_low:.2f} to {near.ci_high:.2f}], '
        f'the upper end must not exceed {config.max_near_misses_over_net_plan:.2f}'
    )
    checks.append(_check('near misses', near.ci_high, config.max_near_misses_over_net_plan, text))
    for metric, limit, words in (
        ('collisions', config.max_extra_collisions, 'collisions'),
        ('teleports', config.max_extra_teleports, 'vehicles that SUMO took out of a jam'),
    ):
        theirs = sum(controllers['net_plan'][metric]['per_seed'])
        extra = sum(own[metric]['per_seed']) - theirs
        text = f'{extra:+.0f} {words} against net_plan, allowed are {limit:+.0f}'
        if metric == 'collisions' and extra > limit:
            text += _where(evaluation.get('collisions', {}).get(controller, []))
        checks.append(_check(metric, extra, limit, text))
    for metric, most, words in (
        ('monitor_faults', config.max_monitor_faults, 'faults found by the conflict monitor'),
        ('starved', config.max_starved, 'movements that waited longer than the maximum red'),
    ):
        count = sum(own[metric]['per_seed'])
        text = f'{count:.0f} {words}, allowed are {most}'
        checks.append(_check(metric.replace('_', ' '), count, float(most), text))
    checks += _valued(evaluation.get('values', {}).get(controller, []), config)
    checks += _disturbed(evaluation.get('degradation', []), controller, config)
    return checks


def _waited(own: dict[str, Any], teleport_s: float, limit_s: float) -> Check:
    """
    Return whether nobody stood for too long.

    Whom SUMO takes out of a jam has stood for ``teleport_s``, wherever that was, and nobody knows
    for how much longer it would have; how many may be is a check of its own.
    """
    longest_s = max(own['max_wait_s']['per_seed'])
    taken_out = sum(own['teleports']['per_seed'])
    text = f'a vehicle stood for up to {longest_s:.0f} s'
    if taken_out and teleport_s > longest_s:
        longest_s = teleport_s
    if taken_out:
        text = (
            f'a vehicle stood for {longest_s:.0f} s or more: {taken_out:.0f} were then taken out '
            'of their jams, and nobody knows for how much longer they would have stood'
        )
    return _check('longest wait', longest_s, limit_s, f'{text}, allowed are {limit_s:.0f} s')


def looser_limits(config: GateConfig) -> list[str]:
    """Return in words which limits let through more than the default ones do."""
    default = GateConfig()
    words = [
        f'{name} {getattr(config, name):g} instead of {getattr(default, name):g}'
        for name in GateConfig.model_fields
        if name.startswith('max_') and getattr(config, name) > getattr(default, name)
    ]
    if config.min_demands < default.min_demands:
        words.append(f'min_demands {config.min_demands} instead of {default.min_demands}')
    needs = ('needs_fqe', 'needs_disturbances')
    return words + [f'{name} false' for name in needs if not getattr(config, name)]


def _where(collisions: list[dict[str, Any]]) -> str:
    """Return where to look: the first collisions, each with its time in the scenario."""
    more = f'; and {len(collisions) - N_NAMED} more' if len(collisions) > N_NAMED else ''
    named = (
        f'; on demand {one["demand"]} at {timedelta(seconds=round(one["time_s"]))} '
        f"'{one['collider_id']}' ran into '{one['victim_id']}' on lane '{one['lane_id']}'"
        for one in collisions[:N_NAMED]
    )
    return ''.join(named) + more


def _valued(values: list[dict[str, float | None]], config: GateConfig) -> list[Check]:
    """Return whether fitted Q evaluation contradicts: it must not call the policy worse."""
    pairs = [
        (value['fqe'], value['behaviour'])
        for value in values
        if value['fqe'] is not None and value['behaviour'] is not None
    ]
    n_unasked = len(values) - len(pairs)
    if (n_unasked or not values) and config.needs_fqe:
        where = f' at {n_unasked} of {len(values)} junctions' if pairs else ''
        text = (
            f'it was not asked what the policy is worth{where}; train with train.fqe.steps above '
            '0 (such as 1000) and some held-out hours'
        )
        return [Check(name='fitted Q evaluation', found=1.0, limit=0.5, passed=False, reason=text)]
    if not pairs:
        return []
    if all(pair == pairs[0] for pair in pairs):  # one network for all junctions has one value
        pairs = pairs[:1]
    worse = sum(not fqe >= behaviour for fqe, behaviour in pairs)  # NaN is no better
    text = (
        f'fitted Q evaluation on held-out hours calls the policy worse than the recorded plans at '
        f'{worse} of {len(pairs)} junctions, those of one network counting once; at most half '
        'may be'
    )
    return [_check('fitted Q evaluation', worse / len(pairs), 0.5, text)]


def _disturbed(curves: list[dict[str, Any]], controller: str, config: GateConfig) -> list[Check]:
    """
    Return a check for each disturbance that the controller was judged under.

    With broken detectors the guard hands over to the fallback, which is ``own_plan``: a policy can
    then be no better than that, and must be hardly worse. Traffic and weather break no detector,
    and the policy must still beat what is there today.
    """
    checks = []
    rows = [row for row in curves if row['kind'] != 'none' and controller in row['controllers']]
    judged = {row['kind'] for row in rows}
    others = {one for row in curves if row['kind'] != 'none' for one in row['controllers']}
    missing = [kind for kind in KINDS if kind not in judged]
    if missing and config.needs_disturbances:
        text = (
            'of several training seeds only the first is judged under disturbances; evaluate this '
            "one's bundle alone"
            if others.difference(BASELINES) and not rows
            else "judge it so ('saferl evaluate --disturbances 2', or in the YAML of a run "
            'evaluate.degradation.demands, at least 1, with no empty list beside it)'
        )
        text = f'{controller} was not judged under {", ".join(missing)}; {text}'
        checks.append(
            Check(
                name='disturbances',
                found=float(len(judged)),
                limit=float(len(KINDS)),
                passed=False,
                reason=text,
            )
        )
    for row in rows:
        is_broken = row['kind'] in BROKEN
        other = 'own_plan' if is_broken else 'net_plan'
        limit = (
            config.max_broken_over_own_plan if is_broken else config.max_disturbed_over_net_plan
        )
        found = row['controllers'][controller]
        if found[f'over_{other}'] is None:
            continue
        ratio = found[f'over_{other}']['mean']
        name = f'{row["kind"]} {row["level"]:g}' if row['level'] else row['kind']
        text = (
            f'delay is {ratio:.2f} of {other} under the same disturbance, '
            f'the mean must not exceed {limit:.2f}'
        )
        checks.append(_check(name, ratio, limit, text))
    return checks + _unsafe_when_disturbed(rows, controller, config)


def _unsafe_when_disturbed(
    rows: list[dict[str, Any]], controller: str, config: GateConfig
) -> list[Check]:
    """Return the checks of what must not happen either when things go wrong."""
    own = [row['controllers'][controller] for row in rows]
    checks = []
    for metric, most, words in (
        ('monitor_faults', config.max_monitor_faults, 'faults found by the conflict monitor'),
        ('starved', config.max_starved, 'movements that waited longer than the maximum red'),
    ):
        count = sum(row[metric] for row in own)
        text = f'{count:.0f} {words} under all disturbances, allowed are {most}'
        name = f'{metric.replace("_", " ")} when disturbed'
        checks.append(_check(name, count, float(most), text))
    theirs = [row['controllers']['net_plan'] for row in rows if 'net_plan' in row['controllers']]
    extra = sum(row['collisions'] for row in own) - sum(row['collisions'] for row in theirs)
    limit = config.max_extra_collisions
    text = f'{extra:+.0f} collisions against net_plan under all of them, allowed are {limit:+.0f}'
    checks.append(_check('collisions when disturbed', extra, limit, text))
    return checks if rows else []


def _check(name: str, found: float, limit: float, reason: str) -> Check:
    return Check(
        name=name, found=float(found), limit=limit, passed=found <= limit + 1e-9, reason=reason
    )
