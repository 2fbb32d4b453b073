"""
Keep a benchmark run's result, and write ``docs/benchmark.md`` from all that are kept.

``python benchmarks/page.py runs/benchmark/cologne8`` copies what the page needs to
``docs/benchmark/cologne8.json``; without an argument only the page is written anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kept import keep, KEPT, read_kept, scores_of, words
from map_section import map_section, REFERENCES
import numpy as np
from side_sections import ranking_section, resco_section, zero_shot_section

from saferl_ros.evaluate.statistics import bootstrap, ratio_of_means, Scores

MAPS = ('cologne1', 'cologne3', 'cologne8', 'ingolstadt1', 'ingolstadt7', 'ingolstadt21')
MAPS += ('grid4x4', 'arterial4x4')
# CQL's delay over that of each controller, on its worst training seed: the goal of the maps that
# are named, and of the others
GOALS: dict[str, tuple[dict[str, float], float]] = {
    'net_plan': ({'cologne1': 0.55, 'cologne3': 0.55, 'ingolstadt1': 0.55, 'cologne8': 0.6}, 0.75),
    'actuated': ({'cologne1': 0.8, 'cologne3': 0.8, 'ingolstadt1': 0.8}, 1.0),
    'max_pressure': ({'cologne1': 0.75}, 1.0),
    'online': ({}, 1.0),
}
BUDGET = 1.05


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
        'controller but `net_plan` keeps complete clearances; `own_plan` is the same plan with '
        'them. Baselines are tuned on demand of '
        'their own. Intervals are 95 % bootstrap intervals over demands and training seeds, of '
        'which three are few: where they differ, see the figures of each; IQM '
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
    path = KEPT.with_suffix('.md')
    path.write_text('\n'.join(lines).rstrip() + '\n', encoding='utf-8')
    return path


def summary(kept: dict[str, dict[str, Any]]) -> list[str]:
    """Return the table of goals: the worst training seed of each map against each."""
    lines = [
        '| map | signals | price of the record | CQL ÷ net_plan | ÷ own_plan | ÷ actuated | '
        '÷ max_pressure | ÷ online double DQN | ÷ BC, all seeds |',
        '|---' * 9 + '|',
    ]
    for name, one in kept.items():
        evaluation = one['evaluation']
        ours = scores_of(evaluation, 'cql')

        def worst(other: Scores, ours: Scores = ours) -> float:
            return max(ratio_of_means(row[None], other) for row in ours)

        def judged(of: str, other: Scores, name: str = name) -> str:
            named, usual = GOALS[of]
            ratio, goal = worst(other), named.get(name, usual)
            return f'{ratio:.3f} (goal {goal:.2f}: {"met" if ratio <= goal else "missed"})'

        net_plan, own_plan, actuated, max_pressure = (
            scores_of(evaluation, reference) for reference in REFERENCES
        )
        online = one.get('online')
        apart = bootstrap(ratio_of_means, ours, scores_of(evaluation, 'bc'))
        price = one['price']['mean']
        cells = (
            name,
            str(len(evaluation['junction_ids'])),
            f'{price:.3f} ({"met" if price <= BUDGET else "missed"})',
            judged('net_plan', net_plan),
            f'{worst(own_plan):.3f}',
            judged('actuated', actuated),
            judged('max_pressure', max_pressure),
            judged('online', np.array(online['delay_s'])) if online else '–',
            f'{words(apart, 2)} ({"better" if apart.ci_high < 1 else "not apart"})',
        )
        lines.append(f'| {" | ".join(cells)} |')
    return lines


def main() -> None:
    """Keep the named runs, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('run_dir', type=Path, nargs='*', help='finished runs to keep')
    for run_dir in parser.parse_args().run_dir:
        print(f'kept: {keep(run_dir)}')
    print(f'written: {write_page()}')


if __name__ == '__main__':
    main()
