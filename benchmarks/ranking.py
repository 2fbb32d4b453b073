"""
How well fitted Q evaluation (FQE) ranks policies against the simulated truth.

Trains policies of very different quality from one record, values each by FQE on held-out episodes,
plays each without its guard on demand of the tuning split, and prints Spearman's rank correlation
with its interval. What is finished is kept, so that an interrupted run goes on; the result goes
to ``docs/benchmark/ranking.json``.
"""

from __future__ import annotations

import argparse
import csv
from itertools import product
import json
from pathlib import Path

from kept import KEPT
import numpy as np
from scipy.stats import spearmanr

from saferl_ros.bundle.produce import train_all
from saferl_ros.cli.screen import print_table, progress_bar
from saferl_ros.dataset.files import record_paths
from saferl_ros.env.junction import derive_junctions
from saferl_ros.evaluate.contest import Contestant, play_all
from saferl_ros.evaluate.kept import KeptEpisodes
from saferl_ros.record.recorder import record, RecordConfig
from saferl_ros.record.revision import git_revision
from saferl_ros.scenario import DemandVariation, load_scenario, Split
from saferl_ros.train.config import TrainConfig

ALPHAS = (0.0, 0.005, 0.1, 2.0)
STEPS = (500, 2000, 8000)
SEEDS = (1, 2)
SCALES = (0.75, 0.95, 1.15)
N_RESAMPLES = 2000


def main() -> None:
    """Print the table and the correlation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('scenario', nargs='?', default='cologne1')
    parser.add_argument('--episodes', type=int, default=60)
    parser.add_argument('--jobs', type=int, default=2)
    parser.add_argument('-o', '--output', type=Path, default=Path('runs/ranking'))
    options = parser.parse_args()
    (junction,) = derive_junctions(load_scenario(options.scenario))
    junction_id = junction.plan.junction_id
    folder = options.output / options.scenario
    folder.mkdir(parents=True, exist_ok=True)
    (data,) = record_paths(folder / 'dataset.h5', [junction_id])
    with progress_bar('recording') as progress:
        recording = RecordConfig(episodes=options.episodes)
        record([junction], recording, [data], jobs=options.jobs, progress=progress)
    policies: dict[str, Path] = {}
    values = {}
    for alpha, steps in product(ALPHAS, STEPS):
        config = TrainConfig.model_validate(
            {
                'algorithms': ['cql'],
                'seeds': SEEDS,
                'cql': {'alpha': alpha, 'steps': steps, 'ensemble': 1},
                'fqe': {'times': 1},
            }
        )
        out = folder / f'alpha_{alpha:g}_steps_{steps}'
        with progress_bar(out.name) as progress:
            bundles = train_all([data], config, out, jobs=options.jobs, progress=progress)
        for name, bundle in bundles.items():
            policies[f'{out.name}/{name}'] = bundle
            values[f'{out.name}/{name}'] = last_fqe(out / 'logs' / name / 'training.csv')
    demands = [
        DemandVariation(split=Split.TUNE, seed=300 + n, scale=scale)
        for n, scale in enumerate(SCALES)
    ]
    contestants = [
        Contestant(
            name=name, bundles={junction_id: bundle}, is_guarded=False
        )  # FQE knows no guard
        for name, bundle in policies.items()
    ]
    with progress_bar('simulating') as progress:
        rows = play_all(
            *([junction], contestants, demands),
            jobs=options.jobs,
            kept=KeptEpisodes(folder / 'episodes.jsonl'),
            progress=progress,
        )
    delays = {name: float(np.mean(row)) for name, row in zip(policies, rows, strict=True)}
    report(options.scenario, values, delays)


def last_fqe(log: Path) -> float:
    """Return the last value that FQE gave during a training."""
    with log.open(newline='', encoding='utf-8') as file:
        return float([row['fqe_value'] for row in csv.DictReader(file) if row['fqe_value']][-1])


def report(scenario: str, values: dict[str, float], delays: dict[str, float]) -> None:
    """Print the policies from best to worst by simulation, then the correlation; keep both."""
    names = sorted(delays, key=delays.__getitem__)
    print_table(
        f'{scenario}: {len(names)} policies',
        ['policy', 'delay in simulation [s/veh]', 'FQE value'],
        [[name, f'{delays[name]:.1f}', f'{values[name]:.2f}'] for name in names],
    )
    rho = float(spearmanr([[values[name], -delays[name]] for name in names]).statistic)
    # two seeds of one configuration are no two policies, so that configurations are drawn
    trainings = [
        [[values[name], -delays[name]] for name in names if name.startswith(f'{training}/')]
        for training in sorted({name.rpartition('/')[0] for name in names})
    ]
    rng = np.random.default_rng(0)
    drawn = [
        spearmanr(
            np.concatenate(
                [trainings[k] for k in rng.integers(len(trainings), size=len(trainings))]
            )
        ).statistic
        for _ in range(N_RESAMPLES)
    ]
    by_steps = {}
    for steps in STEPS:
        rows = [[values[n], -delays[n]] for n in names if f'_steps_{steps}/' in n]
        by_steps[str(steps)] = float(spearmanr(np.array(rows)).statistic)
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    print(
        f"Spearman's rank correlation of FQE with the simulated truth: {rho:.2f} "
        f'[{low:.2f}, {high:.2f}] over {len(names)} policies; among those trained for equally '
        'long: ' + ', '.join(f'{found:.2f} ({steps} steps)' for steps, found in by_steps.items())
    )
    found = {
        'scenario': scenario,
        'rho': {'mean': rho, 'ci_low': low, 'ci_high': high},
        'rho_by_steps': by_steps,
        'git_revision': git_revision(),
        'values': values,
        'delays_s': delays,
    }
    (KEPT / 'ranking.json').write_text(
        json.dumps(found, indent=1, sort_keys=True) + '\n', encoding='utf-8'
    )


if __name__ == '__main__':
    main()
