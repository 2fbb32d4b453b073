"""One map's part of the benchmark page."""

from __future__ import annotations

from typing import Any

from kept import KEPT, plans_words, scores_of, seeds_of, words
import numpy as np

from saferl_ros.cli.run_config import RunConfig
from saferl_ros.evaluate.judge import EVALUATION_VERSION
from saferl_ros.evaluate.statistics import (
    bootstrap,
    chance_to_be_lower,
    interquartile_mean,
    ratio_of_means,
)
from saferl_ros.report.score_tables import parameters_in_words
from saferl_ros.yaml_file import differences, read_yaml

CONTROLLERS = ('net_plan', 'own_plan', 'behaviour', 'best_plan', 'actuated', 'max_pressure')
CONTROLLERS += ('bc', 'dqn', 'cql')
CURVES = ('net_plan', 'own_plan', 'actuated', 'max_pressure', 'bc', 'cql')
REFERENCES = ('net_plan', 'own_plan', 'actuated', 'max_pressure')


def map_section(name: str, kept: dict[str, Any]) -> list[str]:
    """Return one map's part of the page."""
    evaluation = kept['evaluation']
    shown = [name for name in CONTROLLERS if seeds_of(evaluation, name)]
    ours = scores_of(evaluation, 'cql')
    price = kept['price']
    minutes = {step: seconds / 60 for step, seconds in kept['times_s'].items()}
    clearance = evaluation['clearance']
    lines = [
        f'## {name}',
        '',
        f'{len(evaluation["junction_ids"])} signals, `{clearance}` clearances, '
        f'{kept["hours"]:.0f} h recorded at a price of {price["mean"]:.3f} '
        f'[{price["ci_low"]:.3f}, {price["ci_high"]:.3f}]; {len(evaluation["demands"])} demands '
        f'never recorded, {len(ours)} training seeds. '
        + ', '.join(f'{step} {found:.1f} min' for step, found in minutes.items())
        + f' ({sum(minutes.values()):.0f} min in all). '
        + family_words(kept)
        + ' '
        + learning_words(kept['config'])
        + ' '
        + tuning_words(evaluation['baselines'])
        + ' '
        + gate_words(kept)
        + changed_words(name, kept['config'])
        + road_words(kept)
        + plans_words(name, kept),
        '',
        '| controller | delay [s/veh] | IQM [s] | ÷ net_plan | CQL is better | waiting [s] | '
        'longest wait [s] | stops | CO2 [g/veh] | near misses /1000 veh | collisions | teleports '
        '| monitor faults |',
        '|---' * 13 + '|',
    ]
    for controller in shown:

        def mean(metric: str, of: str = controller) -> float:
            return float(scores_of(evaluation, of, metric).mean())

        scores = scores_of(evaluation, controller)
        chance = (
            '–' if controller == 'cql' else words(bootstrap(chance_to_be_lower, ours, scores), 2)
        )
        n_seeds = len(scores)
        lines.append(
            f'| {controller} | {words(bootstrap(np.mean, scores), 1)} | '
            f'{interquartile_mean(scores):.1f} | '
            f'{ratio_of_means(scores, scores_of(evaluation, "net_plan")):.2f} | {chance} | '
            f'{mean("waiting_s"):.1f} | '
            f'{scores_of(evaluation, controller, "max_wait_s").max():.0f} | {mean("stops"):.2f} | '
            f'{mean("co2_g"):.0f} | {mean("conflicts"):.0f} | '
            + ' | '.join(
                f'{scores_of(evaluation, controller, metric).sum() / n_seeds:.1f}'.rstrip(
                    '0'
                ).rstrip('.')
                for metric in ('collisions', 'teleports', 'monitor_faults')
            )
            + ' |'
        )
    online = kept.get('online')
    if online:
        means = ', '.join(f'{np.mean(row):.1f}' for row in online['delay_s'])
        lines += [
            '',
            f'Online double DQN after {online["episodes"]} exploring hours: {means} s/veh.'
            f'{road_words(online)}{plans_words(name, online)}',
        ]
    lines += ['', 'CQL, each training seed over ' + ', '.join(REFERENCES) + ':', '']
    for seed, row in zip(seeds_of(evaluation, 'cql'), ours, strict=True):
        ratios = ', '.join(
            words(bootstrap(ratio_of_means, row[None], scores_of(evaluation, other)), 2)
            for other in REFERENCES
        )
        lines.append(f'- `{seed}`: {row.mean():.1f} s/veh; {ratios}')
    return [*lines, '', *disturbed_lines(kept), '']


def family_words(kept: dict[str, Any]) -> str:
    """Return what was recorded, and whether the family was searched."""
    config = kept['config']
    family = kept.get('family') or config['record']['family']

    def seconds(item: tuple[str, float]) -> float:
        return float(item[0])

    def shifts(name: str) -> str:
        found = ', '.join(
            f'{float(s):+g}: {p:.0%}'
            for s, p in sorted(family[name].items(), key=seconds)
            if float(s)
        )
        return found or 'never'

    budget = config['record'].get('budget')
    found = f', searched for a price of at most {budget:g}' if budget else ''
    shared = ', one network for all signals' if config['train'].get('shared') else ''
    return (
        f'Recorded{found}: own greens x {family["green_scale"]:g}, '
        f'lefts swap {family["swap_probability"]:.0%}, greens of 15 s and more shift '
        f'{shifts("main_shift_s")} [s], shorter ones {shifts("minor_shift_s")}; '
        f'observation `{config.get("observation", "detector")}`{shared}.'
    )


def learning_words(config: dict[str, Any]) -> str:
    """Return how CQL learned, and whether its networks did so apart, as they did at first."""
    q = config['train']['cql']
    networks = f'{q["ensemble"]} networks' if q['ensemble'] > 1 else 'one network'
    apart = (
        ' trained apart ([decision 0013](decisions/0013-members-learn-side-by-side.md))'
        if 'layer_norm' in q and q['ensemble'] > 1  # a setting that went when they came together
        else ''
    )
    mean, change = q.get('reward_mean', 1.0), q.get('shaping', 0.0)
    rewards = f', rewards of mean {mean:g}' if mean != 1 else ''
    rewards += f', {change:.0%} of the reward as change' if change else ''
    return (
        f'CQL: {networks}{apart}, alpha {q["alpha"]:g}, discount {q["gamma"]:g} per 5 s{rewards}, '
        f'{q["steps"]:,} steps.'
    )


def tuning_words(baselines: dict[str, Any]) -> str:
    """Return what the baselines were tuned to, and whether max-pressure had all its choices."""
    found = '; '.join(
        f'`{name}` {parameters_in_words(notes["parameters"])}' for name, notes in baselines.items()
    )
    is_blind = 'sees_upstream' not in baselines['max_pressure']['parameters']
    return f'Tuned: {found}.' + (
        ' `max_pressure` was not offered the sight past split roads '
        '([decision 0012](decisions/0012-max-pressure-sees-past-a-split.md)); where the network '
        'has them, it can do better than here.'
        if is_blind
        else ''
    )


def gate_words(kept: dict[str, Any]) -> str:
    """Return the verdict, and the reason of every check that failed."""
    is_old = kept['evaluation']['format_version'] < EVALUATION_VERSION
    of_then = ' By an earlier gate, which asked for less.' if is_old else ''
    gate = kept['gate']
    if gate['passed']:
        return f'Gate, for the first training seed: passed.{of_then}'
    failed = [check for check in gate['checks'] if not check['passed']]
    return (
        'Gate, for the first training seed: failed ('
        + '; '.join(f'{c["name"]}: {c["reason"]}' for c in failed)
        + f').{of_then}'
    )


def changed_words(name: str, config: dict[str, Any]) -> str:
    """Return which settings have other values in the map's configuration today."""
    path = KEPT.parents[1] / 'config' / 'benchmark' / f'{name}.yaml'
    now = read_yaml(path, RunConfig)
    default = RunConfig(name=now.name, scenario=now.scenario)  # settings that are new since
    found, today, usual = (
        {key: pair[1] for key, pair in differences({}, one).items()}
        for one in (config, *(c.model_dump(mode='json', exclude={'gate'}) for c in (now, default)))
    )
    for key in (*today, *found):
        if '_shift_s.' in key:  # of a table each, where what is not stated is never
            found.setdefault(key, 0.0)
            today.setdefault(key, 0.0)
    changed = [
        f'`{key}` was {before} and is {after}'
        for key, after in today.items()
        if (before := found.get(key, usual.get(key, after))) != after
    ]
    return f' Made by an earlier configuration: {", ".join(changed)}.' if changed else ''


def road_words(kept: dict[str, Any]) -> str:
    """Return a caution where detectors ended with SUMO's edges, as they did at first."""
    if kept.get('observation_version', 1) > 1:
        return ''
    return (
        ' Made before detectors and reward followed the road over edges '
        '([decision 0014](decisions/0014-up-the-road.md)).'
    )


def disturbed_lines(kept: dict[str, Any]) -> list[str]:
    """Return the table of what went wrong on purpose, and what it cost each controller."""
    curves = kept['evaluation'].get('degradation', [])
    if not curves:
        return []
    shown = [name for name in CURVES if name in curves[0]['controllers']]
    lines = [
        f'Under disturbances, on {kept["config"]["evaluate"]["degradation"]["demands"]} further '
        'demands, of the nominal size but where the row says otherwise, the first training seed, '
        'delay [s/veh] and of `cql` the share of decisions that the fixed-time program '
        '(`own_plan`) made, because it had taken over:',
        '',
        '| disturbance | ' + ' | '.join(shown) + ' | taken over |',
        '|---' * (len(shown) + 2) + '|',
    ]
    for row in curves:
        level = f' {row["level"]:g}' if row['level'] else ''
        same = [row['controllers'][one] == curves[0]['controllers'][one] for one in shown]
        if row is not curves[0] and all(same):
            level += ' (of a lane that nobody takes: without effect)'
        means = ' | '.join(f'{row["controllers"][one]["delay_s"]["mean"]:.1f}' for one in shown)
        share = row['controllers']['cql'].get('fallback_share', 0.0)
        lines.append(f'| {row["kind"]}{level} | {means} | {share:.0%} |')
    return lines
