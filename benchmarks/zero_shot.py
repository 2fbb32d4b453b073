"""
How a shared policy does at junctions that it never saw.

``python benchmarks/zero_shot.py runs/benchmark/cologne3 runs/benchmark/ingolstadt7`` takes the
records of finished benchmark runs, learns one network with some junctions left out, and lets it
serve each of those alone, the others keeping their own programs, on the test demands of its run;
every junction is left out once. Finished trainings are kept, so that an interrupted run goes on;
results go to ``docs/benchmark/zero_shot.json``, a part for each set of runs.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
import json
from pathlib import Path

from kept import KEPT
from online import config_of, record_files

from saferl_ros.bundle.folders import bundle_folder
from saferl_ros.bundle.produce import train_all
from saferl_ros.cli.screen import print_table, progress_bar
from saferl_ros.dataset.intervals import ratio_interval
from saferl_ros.env.junction import derive_junctions, Junction
from saferl_ros.evaluate.contest import Contestant, Match, play_matches
from saferl_ros.evaluate.judge import test_demands
from saferl_ros.evaluate.kept import KeptEpisodes
from saferl_ros.scenario import DemandVariation
from saferl_ros.train.config import FqeConfig, QLearningConfig, TrainConfig

N_FOLDS = 5
N_DEMANDS = 6  # the last one nominal, the others spread over the whole range


def main() -> None:
    """Learn every fold, play every junction, keep the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('run_dirs', type=Path, nargs='+')
    parser.add_argument(
        '-o', '--output', type=Path, help='default: runs/zero_shot/ and the names of the runs'
    )
    parser.add_argument('--jobs', type=int, default=2)
    options = parser.parse_args()
    name_of_set = ', '.join(run_dir.name for run_dir in options.run_dirs)
    output = options.output or Path('runs/zero_shot') / name_of_set.replace(', ', '_')
    places: dict[str, tuple[str, Junction, list[DemandVariation]]] = {}  # by junction
    files = []
    for run_dir in options.run_dirs:
        config = config_of(run_dir)
        junctions = config.load_junctions()
        files += record_files(run_dir, [junction.plan.junction_id for junction in junctions])
        judging = config.evaluate.model_copy(update={'seeds': N_DEMANDS - 1, 'nominal': 1})
        demands = test_demands(judging)
        for junction in junctions:
            (alone,) = derive_junctions(
                junction.scenario,
                [junction.plan.junction_id],
                clearance=config.clearance,
                observation=config.observation,
                settings=config.signals,
            )
            if junction.plan.junction_id in places:
                parser.error(f"'{run_dir}' has a junction of a name that another run has too")
            places[junction.plan.junction_id] = run_dir.name, alone, demands
    ids = list(places)
    bundles = {}
    for fold in range(N_FOLDS):
        left_out = tuple(ids[fold::N_FOLDS])
        if not left_out:
            continue
        training = TrainConfig(
            algorithms=('cql',),
            shared=True,
            leave_out=left_out,
            cql=QLearningConfig(ensemble=3),
            fqe=FqeConfig(steps=0),
        )
        folder = output / f'fold_{fold}'
        with progress_bar(f'without {", ".join(left_out)}') as progress:
            found = train_all(files, training, folder, jobs=options.jobs, progress=progress)
        for junction_id in left_out:
            bundles[junction_id] = bundle_folder(
                found['cql'], junction_id, is_alone=len(files) == 1
            )
    matches = {}
    for junction_id, (_, junction, demands) in places.items():
        for n, demand in enumerate(demands):
            own = {junction_id: junction.plan.program}
            for contestant in (
                Contestant(name='net_plan'),
                Contestant(name='own_plan', programs=own),
                Contestant(name='shared', bundles={junction_id: bundles[junction_id]}),
            ):
                matches[junction_id, contestant.name, n] = Match(
                    junctions=(junction,), contestant=contestant, demand=demand
                )
    with progress_bar('judging') as progress:
        results = play_matches(
            list(matches.values()),
            jobs=options.jobs,
            kept=KeptEpisodes(output / 'episodes.jsonl'),
            progress=progress,
        )
    delays = {key: result.trips.delay_s for key, result in zip(matches, results, strict=True)}
    kept = {}
    for junction_id, (scenario, _, demands) in places.items():
        scores = {
            name: [delays[junction_id, name, n] for n in range(len(demands))]
            for name in ('net_plan', 'own_plan', 'shared')
        }
        kept[junction_id] = {
            'scenario': scenario,
            'over_net_plan': asdict(ratio_interval(scores['shared'], scores['net_plan'])),
            'over_own_plan': asdict(ratio_interval(scores['shared'], scores['own_plan'])),
            **scores,
        }
    file = KEPT / 'zero_shot.json'
    known = json.loads(file.read_text(encoding='utf-8')) if file.exists() else {}
    known[name_of_set] = kept
    file.write_text(json.dumps(known, indent=1, sort_keys=True) + '\n', encoding='utf-8')
    print_table(
        'junctions left out of learning, served by the shared policy',
        ['map', 'junction', 'delay of the network ÷ net_plan', '÷ own_plan'],
        [
            [
                one['scenario'],
                junction_id,
                *(
                    f'{one[key]["mean"]:.2f} [{one[key]["ci_low"]:.2f}, {one[key]["ci_high"]:.2f}]'
                    for key in ('over_net_plan', 'over_own_plan')
                ),
            ]
            for junction_id, one in kept.items()
        ],
    )


if __name__ == '__main__':
    main()
