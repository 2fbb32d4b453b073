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

from saferl_ros.dataset.intervals import Interval
from saferl_ros.evaluate.judge import read_evaluation
from saferl_ros.evaluate.statistics import (
    bootstrap,
    chance_to_be_lower,
    interquartile_mean,
    ratio_of_means,
    Scores,
)

DOCS = Path(__file__).parents[1] / 'docs'
MAPS = ('cologne1', 'cologne3', 'cologne8', 'ingolstadt1', 'ingolstadt7', 'ingolstadt21')
MAPS += ('grid4x4', 'arterial4x4')
BASELINES = ('net_plan', 'own_plan', 'best_plan', 'actuated', 'max_pressure')
POLICIES = ('bc', 'dqn', 'cql')
REFERENCES = ('net_plan', 'actuated', 'max_pressure')
NET_PLAN_GOALS = {'cologne1': 0.55, 'cologne3': 0.55, 'ingolstadt1': 0.55, 'cologne8': 0.60}
OTHER_NET_PLAN_GOAL = 0.75
ACTUATED_GOALS = {'cologne1': 0.80, 'cologne3': 0.80, 'ingolstadt1': 0.80}
MAX_PRESSURE_GOALS = {'cologne1': 0.75}
BUDGET = 1.05


def keep(run_dir: Path) -> Path:
    """Store what the page needs of a run; return the file."""
    evaluation = read_evaluation(run_dir / 'evaluation.json')
    evaluation.pop('traces')
    quality = json.loads((run_dir / 'quality.json').read_text(encoding='utf-8'))
    first = quality[0] if isinstance(quality, list) else quality
    kept = {
        'config': json.loads((run_dir / 'config.yaml').read_text(encoding='utf-8')),
        'price': first['price'],
        'hours': first['hours'],
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
        f'Gate: {"passed" if kept["gate"]["passed"] else "failed"}.',
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
    lines += ['', 'CQL, each training seed over ' + ', '.join(REFERENCES) + ':', '']
    for seed, row in zip(seeds_of(evaluation, 'cql'), ours, strict=True):
        ratios = ', '.join(
            words(bootstrap(ratio_of_means, row[None], scores_of(evaluation, other)), 2)
            for other in REFERENCES
        )
        lines.append(f'- `{seed}`: {row.mean():.1f} s/veh; {ratios}')
    return [*lines, '']


def summary(kept: dict[str, dict[str, Any]]) -> list[str]:
    """Return the table of goals: the worst training seed of each map against each."""
    lines = [
        '| map | signals | price of the record | CQL ÷ net_plan | ÷ actuated | ÷ max_pressure | '
        'better than BC |',
        '|---' * 7 + '|',
    ]
    for name, one in kept.items():
        evaluation = one['evaluation']
        ours = scores_of(evaluation, 'cql')

        def worst(other: str, goal: float) -> str:
            ratio = max(
                ratio_of_means(row[None], scores_of(evaluation, other))  # noqa: B023
                for row in ours  # noqa: B023
            )
            return f'{ratio:.3f} (goal {goal:.2f}: {"met" if ratio <= goal else "missed"})'

        apart = bootstrap(ratio_of_means, ours, scores_of(evaluation, 'bc'))
        price = one['price']['mean']
        lines.append(
            f'| {name} | {len(evaluation["junction_ids"])} | {price:.3f} '
            f'({"met" if price <= BUDGET else "missed"}) | '
            f'{worst("net_plan", NET_PLAN_GOALS.get(name, OTHER_NET_PLAN_GOAL))} | '
            f'{worst("actuated", ACTUATED_GOALS.get(name, 1.0))} | '
            f'{worst("max_pressure", MAX_PRESSURE_GOALS.get(name, 1.0))} | '
            f'{words(apart, 2)} ({"apart" if apart.ci_high < 1 else "not apart"}) |'
        )
    return lines


def write_page(names: Sequence[str] = MAPS) -> Path:
    """Write the page from the kept results; return the file."""
    kept = {
        name: json.loads(path.read_text(encoding='utf-8'))
        for name in names
        if (path := DOCS / 'benchmark' / f'{name}.json').exists()
    }
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
        'al., 2021). Ratios below are those of the worst training seed.',
        '',
        *summary(kept),
        '',
    ]
    if missing:
        lines += [f'Not run yet: {", ".join(missing)}.', '']
    for name, one in kept.items():
        lines += map_section(name, one)
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
