"""
Keep a benchmark run's result, and write ``docs/benchmark.md`` from all that are kept.

``python benchmarks/page.py runs/benchmark/cologne8`` copies what the page needs to
``docs/benchmark/cologne8.json``; without an argument only the page is written anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import json
from pathlib import Path
from typing import Any

import numpy as np

from saferl_ros.cli.run_config import RunConfig
from saferl_ros.dataset.intervals import Interval
from saferl_ros.evaluate.judge import read_evaluation
from saferl_ros.evaluate.statistics import (
    bootstrap,
    chance_to_be_lower,
    interquartile_mean,
    ratio_of_means,
    Scores,
)
from saferl_ros.report.score_tables import parameters_in_words
from saferl_ros.yaml_file import differences, read_yaml

DOCS = Path(__file__).parents[1] / 'docs'
MAPS = ('cologne1', 'cologne3', 'cologne8', 'ingolstadt1', 'ingolstadt7', 'ingolstadt21')
MAPS += ('grid4x4', 'arterial4x4')
BASELINES = ('net_plan', 'own_plan', 'behaviour', 'best_plan', 'actuated', 'max_pressure')
POLICIES = ('bc', 'dqn', 'cql')
CURVES = ('actuated', 'max_pressure', 'bc', 'cql')
REFERENCES = ('net_plan', 'actuated', 'max_pressure')
NET_PLAN_GOALS = {'cologne1': 0.55, 'cologne3': 0.55, 'ingolstadt1': 0.55, 'cologne8': 0.60}
OTHER_NET_PLAN_GOAL = 0.75
ACTUATED_GOALS = {'cologne1': 0.80, 'cologne3': 0.80, 'ingolstadt1': 0.80}
MAX_PRESSURE_GOALS = {'cologne1': 0.75}
ONLINE_GOALS = {'cologne1': 1.0, 'cologne3': 1.0, 'ingolstadt1': 1.0}
BUDGET = 1.05
# delay [s/veh] in RESCO's own result files (Ault and Sharon, 2021): fixed time, max-pressure, and
# the best mean of ten episodes of IDQN, which learned online
RESCO = {
    'cologne1': (56.6, 65.9, 26.1),
    'cologne3': (46.4, 162.3, 24.0),
    'cologne8': (63.8, 47.7, 22.1),
    'ingolstadt1': (39.4, 23.6, 21.5),
    'ingolstadt7': (91.3, 46.8, 31.2),
    'ingolstadt21': (133.1, 136.7, 59.6),
    'grid4x4': (None, 52.6, 33.0),
    'arterial4x4': (None, 952.8, 1168.0),
}


def keep(run_dir: Path) -> Path:
    """Store what the page needs of a run; return the file."""
    evaluation = read_evaluation(run_dir / 'evaluation.json')
    evaluation.pop('traces')
    quality = json.loads((run_dir / 'quality.json').read_text(encoding='utf-8'))
    first = quality[0] if isinstance(quality, list) else quality
    bundle = next((run_dir / 'cql').rglob('manifest.json'))
    kept = {
        'config': json.loads((run_dir / 'config.yaml').read_text(encoding='utf-8')),
        'price': first['price'],
        'hours': first['hours'],
        'family': first['family'],
        'observation_version': json.loads(bundle.read_text(encoding='utf-8'))['spec']['version'],
        'times_s': json.loads((run_dir / 'times.json').read_text(encoding='utf-8')),
        'gate': json.loads((run_dir / 'gate.json').read_text(encoding='utf-8')),
        'evaluation': evaluation,
    }
    path = DOCS / 'benchmark' / f'{run_dir.name}.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept, sort_keys=True) + '\n', encoding='utf-8')
    return path


def seeds_of(evaluation: dict[str, Any], name: str) -> list[str]:
    """Return the names of a policy's training seeds: ``cql``, ``cql_2`` and so on."""
    return [
        found
        for found in evaluation['controllers']
        if found == name or (found.startswith(f'{name}_') and found[len(name) + 1 :].isdigit())
    ]


def scores_of(evaluation: dict[str, Any], name: str, metric: str = 'delay_s') -> Scores:
    """Return a metric, shape ``(n_seeds, n_demands)``."""
    return np.array(
        [evaluation['controllers'][s][metric]['per_seed'] for s in seeds_of(evaluation, name)]
    )


def words(found: Interval, digits: int) -> str:
    """Return an interval as text."""
    return f'{found.mean:.{digits}f} [{found.ci_low:.{digits}f}, {found.ci_high:.{digits}f}]'


def gate_words(gate: dict[str, Any]) -> str:
    """Return the verdict, and the reason of every check that failed."""
    if gate['passed']:
        return 'Gate, for the first training seed: passed.'
    failed = [check for check in gate['checks'] if not check['passed']]
    return (
        'Gate, for the first training seed: failed ('
        + '; '.join(f'{c["name"]}: {c["reason"]}' for c in failed)
        + ').'
    )


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


def changed_words(name: str, config: dict[str, Any]) -> str:
    """Return which settings have other values in the map's configuration today."""
    path = DOCS.parent / 'config' / 'benchmark' / f'{name}.yaml'
    now = read_yaml(path, RunConfig)
    default = RunConfig(name=now.name, scenario=now.scenario)  # settings that are new since
    found, today, usual = (
        {key: pair[1] for key, pair in differences({}, one).items()}
        for one in (config, *(c.model_dump(mode='json', exclude={'gate'}) for c in (now, default)))
    )
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


def map_section(name: str, kept: dict[str, Any]) -> list[str]:
    """Return one map's part of the page."""
    evaluation = kept['evaluation']
    shown = [n for n in (*BASELINES, *POLICIES) if seeds_of(evaluation, n)]
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
        + gate_words(kept['gate'])
        + changed_words(name, kept['config'])
        + road_words(kept),
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
            f'{road_words(online)}',
        ]
    lines += ['', 'CQL, each training seed over ' + ', '.join(REFERENCES) + ':', '']
    for seed, row in zip(seeds_of(evaluation, 'cql'), ours, strict=True):
        ratios = ', '.join(
            words(bootstrap(ratio_of_means, row[None], scores_of(evaluation, other)), 2)
            for other in REFERENCES
        )
        lines.append(f'- `{seed}`: {row.mean():.1f} s/veh; {ratios}')
    return [*lines, '', *disturbed_lines(kept), '']


def disturbed_lines(kept: dict[str, Any]) -> list[str]:
    """Return the table of what went wrong on purpose, and what it cost each controller."""
    curves = kept['evaluation'].get('degradation', [])
    if not curves:
        return []
    shown = [
        name for name in ('net_plan', 'own_plan', *CURVES) if name in curves[0]['controllers']
    ]
    lines = [
        f'Under disturbances, on {kept["config"]["evaluate"]["degradation"]["demands"]} further '
        'demands of the nominal size, the first training seed, delay [s/veh] and of `cql` the '
        'share of the time in which the fixed-time program (`own_plan`) had taken over:',
        '',
        '| disturbance | ' + ' | '.join(shown) + ' | taken over |',
        '|---' * (len(shown) + 2) + '|',
    ]
    for row in curves:
        level = f' {row["level"]:g}' if row['level'] else ''
        means = ' | '.join(f'{row["controllers"][one]["delay_s"]["mean"]:.1f}' for one in shown)
        share = row['controllers']['cql'].get('fallback_share', 0.0)
        lines.append(f'| {row["kind"]}{level} | {means} | {share:.0%} |')
    return lines


def summary(kept: dict[str, dict[str, Any]]) -> list[str]:
    """Return the table of goals: the worst training seed of each map against each."""
    lines = [
        '| map | signals | price of the record | CQL ÷ net_plan | ÷ actuated | ÷ max_pressure | '
        '÷ online double DQN | ÷ BC, all seeds |',
        '|---' * 8 + '|',
    ]
    for name, one in kept.items():
        evaluation = one['evaluation']
        ours = scores_of(evaluation, 'cql')

        def worst(other: Scores, goal: float, ours: Scores = ours) -> str:
            ratio = max(ratio_of_means(row[None], other) for row in ours)
            return f'{ratio:.3f} (goal {goal:.2f}: {"met" if ratio <= goal else "missed"})'

        net_plan, actuated, max_pressure = (scores_of(evaluation, n) for n in REFERENCES)
        online = one.get('online')
        explored = '–'
        if online:
            explored = worst(np.array(online['delay_s']), ONLINE_GOALS.get(name, 1.0))

        apart = bootstrap(ratio_of_means, ours, scores_of(evaluation, 'bc'))
        price = one['price']['mean']
        lines.append(
            f'| {name} | {len(evaluation["junction_ids"])} | {price:.3f} '
            f'({"met" if price <= BUDGET else "missed"}) | '
            f'{worst(net_plan, NET_PLAN_GOALS.get(name, OTHER_NET_PLAN_GOAL))} | '
            f'{worst(actuated, ACTUATED_GOALS.get(name, 1.0))} | '
            f'{worst(max_pressure, MAX_PRESSURE_GOALS.get(name, 1.0))} | '
            f'{explored} | '
            f'{words(apart, 2)} ({"better" if apart.ci_high < 1 else "not apart"}) |'
        )
    return lines


def resco_section(kept: dict[str, dict[str, Any]]) -> list[str]:
    """Return the table beside RESCO's published figures."""
    if not kept:
        return []
    lines = [
        "## By RESCO's rules",
        '',
        "`resco` clearances, which no street should have, and each map's own demand, ten runs "
        'with different drivers. Published: fixed time, max-pressure, and IDQN at the best ten '
        'episodes of its learning curve (Ault and Sharon, "Reinforcement Learning Benchmarks for '
        'Traffic Signal Control", 2021). Methods differ: RESCO simulates with SUMO 1.9, decides '
        'at fixed intervals, learns online by exploring on the very demand that it reports, and '
        'reports the best point of its curve; here SUMO is newer, decisions fall when a stage '
        'may change, nothing is explored, demand is resampled for learning, and every training '
        'seed is its last checkpoint. Collisions, and vehicles that SUMO took out of a jam '
        '(teleports), are counted over all runs of all training seeds, beside those of as many '
        'under `net_plan`; no gate passes here, and none should.',
        '',
        '| map | CQL by training seed [s/veh] | IDQN, published | | max-pressure, published | '
        'fixed time, published | net_plan here | max-pressure here | collisions | teleports |',
        '|---' * 10 + '|',
    ]
    for name, one in kept.items():
        evaluation = one['evaluation']
        seeds = scores_of(evaluation, 'cql').mean(axis=1)
        fixed, pressure, idqn = ('–' if v is None else f'{v:.1f}' for v in RESCO[name])
        best = RESCO[name][2]
        verdict = 'all at or below' if best is not None and seeds.max() <= best else 'not all'
        lines.append(
            f'| {name} | {", ".join(f"{value:.1f}" for value in seeds)} | {idqn} | {verdict} | '
            f'{pressure} | {fixed} | {scores_of(evaluation, "net_plan").mean():.1f} | '
            f'{scores_of(evaluation, "max_pressure").mean():.1f} | '
            + ' | '.join(beside_net_plan(evaluation, m) for m in ('collisions', 'teleports'))
            + ' |'
        )
    missing = [name for name in MAPS if name not in kept]
    if missing:
        lines += ['', f'Not run yet: {", ".join(missing)}.']
    return [*lines, '']


def beside_net_plan(evaluation: dict[str, Any], metric: str) -> str:
    """Return how often something happened under CQL, and in as many hours under ``net_plan``."""
    ours, theirs = (scores_of(evaluation, name, metric) for name in ('cql', 'net_plan'))
    return f'{ours.sum():.0f} ({theirs.sum() * len(ours):.0f})'


def zero_shot_section(kept: dict[str, dict[str, Any]]) -> list[str]:
    """Return the table of junctions that a shared policy never saw."""
    if not kept:
        return []
    better = sum(one['over_own_plan']['mean'] < 1 for one in kept.values())
    than_net = sum(one['over_net_plan']['mean'] < 1 for one in kept.values())
    lines = [
        '## Junctions never seen',
        '',
        'One shared network, learned with the junction left out (`benchmarks/zero_shot.py`), '
        'serves it alone; all others keep their own programs. Delay of the whole network over '
        "that with the junction's own plan as it stands (`net_plan`), and with complete "
        f'clearances (`own_plan`). Better than `net_plan` at {than_net} of {len(kept)}, than '
        f'`own_plan` at {better}.',
        '',
        '| map | junction | ÷ net_plan | ÷ own_plan |',
        '|---' * 4 + '|',
    ]
    for junction_id, one in kept.items():
        ratios = ' | '.join(
            words(Interval(**one[key]), 2) for key in ('over_net_plan', 'over_own_plan')
        )
        lines.append(f'| {one["scenario"]} | {junction_id} | {ratios} |')
    return [*lines, '']


def ranking_section(kept: dict[str, Any]) -> list[str]:
    """Return how well off-policy evaluation ranked policies, and what it was worth."""
    if not kept:
        return []
    values, delays = kept['values'], kept['delays_s']
    by_value = sorted(values, key=lambda name: -values[name])
    by_delay = sorted(delays, key=delays.__getitem__)
    by_steps = sorted((int(steps), rho) for steps, rho in kept['rho_by_steps'].items())
    return [
        '## Ranking without simulating',
        '',
        f'`make ranking`: {len(values)} policies of {kept["scenario"]}, from good to ruined by '
        'too few steps or too much conservatism, valued by fitted Q evaluation on held-out '
        "episodes and simulated. Spearman's rank correlation is "
        f'{words(Interval(**kept["rho"]), 2)}. The policy that it values most loses '
        f'{delays[by_value[0]]:.1f} s a vehicle, the one it values least '
        f'{delays[by_value[-1]]:.1f}; the best of all loses {delays[by_delay[0]]:.1f}, the worst '
        f'{delays[by_delay[-1]]:.1f}. Among policies trained for equally long: '
        + ', '.join(f'{rho:.2f} ({steps} steps)' for steps, rho in by_steps)
        + '.',
        '',
    ]


def read_kept(name: str) -> dict[str, Any]:
    """Return a kept result, empty if there is none."""
    path = DOCS / 'benchmark' / f'{name}.json'
    found: dict[str, Any] = {}
    if path.exists():
        found = json.loads(path.read_text(encoding='utf-8'))
    return found


def write_page(names: Sequence[str] = MAPS) -> Path:
    """Write the page from the kept results; return the file."""
    kept = {name: found for name in names if (found := read_kept(name))}
    for name, one in kept.items():
        one['online'] = read_kept(f'{name}.online')
    missing = [name for name in names if name not in kept]
    lines = [
        '# Benchmark',
        '',
        'Written by `benchmarks/page.py` from `docs/benchmark/*.json`; `make benchmark '
        'MAP=cologne8` makes one map anew, as `config/benchmark/` says. Delay is '
        "RESCO's: time lost plus departure delay, vehicles that never got in included. Every "
        'controller but `net_plan` keeps complete clearances. Baselines are tuned on demand of '
        'their own. Intervals are 95 % bootstrap intervals over demands and training seeds; IQM '
        'is the interquartile mean; "CQL is better" is the probability of improvement (Agarwal et '
        'al., 2021). Ratios in the first table are those of the worst training seed. Collisions, '
        'teleports and monitor faults are sums over all demands, a mean over training seeds. '
        'The goals are what this project set itself, and none of them is a limit of the gate; '
        f'the price of a record is the delay of its plans over that of the own plan, and '
        f'{BUDGET:g} its goal.',
        '',
        *summary(kept),
        '',
    ]
    if missing:
        lines += [f'Not run yet: {", ".join(missing)}.', '']
    for name, one in kept.items():
        lines += map_section(name, one)
    lines += resco_section(
        {name: found for name in names if (found := read_kept(f'{name}_resco'))}
    )
    lines += zero_shot_section(read_kept('zero_shot'))
    lines += ranking_section(read_kept('ranking'))
    path = DOCS / 'benchmark.md'
    path.write_text('\n'.join(lines).rstrip() + '\n', encoding='utf-8')
    return path


def main() -> None:
    """Keep the named runs, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('run_dir', type=Path, nargs='*', help='finished runs to keep')
    for run_dir in parser.parse_args().run_dir:
        print(f'kept: {keep(run_dir)}')
    print(f'written: {write_page()}')


if __name__ == '__main__':
    main()
