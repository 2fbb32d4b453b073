"""Judges controllers on demand that nobody learned from or was tuned on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, Field, model_validator

import saferl_ros
from saferl_ros import __version__
from saferl_ros.bundle.folders import bundles_of
from saferl_ros.bundle.load import load_bundle
from saferl_ros.bundle.manifest import Manifest
from saferl_ros.control.family import FamilyConfig
from saferl_ros.control.rollout import EpisodeResult
from saferl_ros.dataset.intervals import mean_interval, ratio_interval
from saferl_ros.env.junction import Junction
from saferl_ros.errors import BundleError, DatasetError
from saferl_ros.evaluate.contest import (
    Contestant,
    digest_of_code,
    Match,
    play_matches,
    played_by,
    Progress,
)
from saferl_ros.evaluate.degradation import degradation, DegradationConfig
from saferl_ros.evaluate.kept import KeptEpisodes
from saferl_ros.evaluate.tune import tune_baselines, TuneConfig
from saferl_ros.scenario import DemandVariation, Split
from saferl_ros.scenario.ranges import ScaleRange
from saferl_ros.sumo.home import sumo_version
from saferl_ros.yaml_file import CONFIG

EVALUATION_VERSION = 5
# baselines whose degradation curves are drawn
DEGRADED = ('net_plan', 'own_plan', 'actuated', 'max_pressure')

DESCRIPTIONS = {
    'net_plan': "the network's own program as it stands, with its own yellows",
    'own_plan': 'the own greens with complete clearances, as recorded',
    'best_plan': 'best fixed plan found on tuning demand, complete clearances',
    'actuated': "SUMO's actuated control, complete clearances, tuned",
    'max_pressure': 'max-pressure control, complete clearances, tuned',
    'behaviour': 'the recorded family of fixed-time plans',
    'bc': 'behaviour cloning of the own plan',
    'cql': 'conservative Q-learning from the record',
    'dqn': 'offline double DQN from the same record: one network, not conservative',
}
BASELINES = ('net_plan', 'own_plan', 'best_plan', 'actuated', 'max_pressure', 'behaviour')


class EvaluateConfig(BaseModel):
    """On which demands to judge."""

    model_config = CONFIG

    seeds: int = Field(default=10, ge=0, le=1000)
    """Resampled demands."""
    seed: int = Field(default=0, ge=0, le=1000)
    """Moves the test demands, but for those under disturbances."""
    scale_range: ScaleRange = (0.7, 1.15)
    """Demand over the nominal one, spread over the resampled demands."""
    nominal: int = Field(default=1, ge=0, le=1000)
    """Runs of the scenario's own demand."""
    tune: TuneConfig = TuneConfig()
    degradation: DegradationConfig = DegradationConfig()

    @model_validator(mode='after')
    def _some_demand(self) -> EvaluateConfig:
        if not self.seeds + self.nominal:
            raise ValueError('seeds and nominal must not both be 0: nothing would be judged')
        return self


def test_demands(config: EvaluateConfig) -> list[DemandVariation]:
    """Return the demands to judge on: scales spread over the range, then the nominal ones."""
    low, high = config.scale_range
    scales = [min(max(low, 1.0), high)]  # a single one is as near to the nominal as it may be
    if config.seeds != 1:
        scales = np.linspace(low, high, config.seeds).tolist()
    demands = [
        DemandVariation(
            split=Split.TEST, seed=config.seed * 100_000 + n, scale=round(float(scale), 4)
        )
        for n, scale in enumerate(scales)
    ]
    demands += [
        DemandVariation(split=Split.TEST, seed=config.seed * 100_000 + n, is_nominal=True)
        for n in range(config.nominal)
    ]
    return demands


def evaluate(
    junctions: Sequence[Junction],
    bundles: dict[str, Path],
    config: EvaluateConfig,
    *,
    family: FamilyConfig | None = None,
    keep: Path | None = None,
    jobs: int = 2,
    progress: Progress = lambda done, total: None,
    tuning_progress: Progress = lambda done, total: None,
    degradation_progress: Progress = lambda done, total: None,
) -> dict[str, Any]:
    """
    Judge bundles beside the baselines and return the evaluation as JSON-ready data.

    What is scored is what ships: the exported bundle behind the sequencer. All controllers meet
    the same demands with the same seeds.

    :param junctions: of one scenario; every controller drives all of them.
    :param bundles: controller name to its bundle, or to its folder of bundles by junction.
    :param family: the recorded family, judged as ``behaviour`` if it is given.
    :param keep: a file that keeps each finished episode: judged again, only what is new is played.
    :raises BundleError: if a bundle is damaged or was made for another junction, or bears the name
        of a baseline.
    """
    for name in bundles:
        if name in BASELINES:
            raise BundleError(
                f"bundle folder '{bundles[name]}' is named as the baseline '{name}'; rename it"
            )
    junction_ids = [junction.plan.junction_id for junction in junctions]
    found_bundles = {name: bundles_of(folder, junction_ids) for name, folder in bundles.items()}
    manifests = {
        name: {j.plan.junction_id: _checked(found[j.plan.junction_id], j) for j in junctions}
        for name, found in found_bundles.items()
    }
    policies = judged_bundles(bundles, junction_ids)  # before anything is played
    kept = KeptEpisodes(keep) if keep else None
    tuned, notes = tune_baselines(
        junctions, config.tune, jobs=jobs, kept=kept, progress=tuning_progress
    )
    contestants = [
        Contestant(name='net_plan'),
        Contestant(
            name='own_plan', programs={j.plan.junction_id: j.plan.program for j in junctions}
        ),
        *tuned,
        *([Contestant(name='behaviour', family=family)] if family else []),
        *(Contestant(name=name, bundles=found) for name, found in found_bundles.items()),
    ]
    demands = test_demands(config)
    matches = [
        Match(
            junctions=tuple(junctions),
            contestant=c,
            demand=d,
            keep_trace=n == len(demands) - 1,
            measure_all=True,
        )
        for c in contestants
        for n, d in enumerate(demands)
    ]
    results = play_matches(matches, jobs=jobs, kept=kept, progress=progress)
    curves: list[dict[str, Any]] = []
    if config.degradation.demands:
        curves = degradation(
            junctions,
            [c for c in contestants if c.name in DEGRADED or _is_first(c.name, bundles)],
            config.degradation,
            jobs=jobs,
            kept=kept,
            progress=degradation_progress,
        )
    by_name = {
        c.name: [results[n * len(demands) + k] for k in range(len(demands))]
        for n, c in enumerate(contestants)
    }
    return {
        'format_version': EVALUATION_VERSION,
        'package_version': __version__,
        'sumo_version': sumo_version(),
        'played_by': played_by(),
        'judged_by': judged_by(),
        'scenario': junctions[0].scenario.to_json(),
        'junction_ids': junction_ids,
        'clearance': junctions[0].plan.clearance,
        'config': config.model_dump(mode='json'),
        'demands': [demand.to_json() for demand in demands],
        'policies': policies,
        'values': {name: _values(found.values()) for name, found in manifests.items()},
        'descriptions': {name: describe_name(name) for name in by_name},
        'baselines': notes,
        'controllers': {name: summarise(found) for name, found in by_name.items()},
        'delay_ratios': delay_ratios(by_name),
        'degradation': curves,  # see evaluate.degradation; empty if it was not asked for
        'fault_counts': {
            name: dict(sum((Counter(r.fault_counts) for r in found), Counter()))
            for name, found in by_name.items()
        },
        'collisions': {
            name: [
                {'demand': n, **asdict(collision)}
                for n, result in enumerate(found)
                for collision in result.collisions
            ]
            for name, found in by_name.items()
        },
        'traces': {
            name: {
                'times_s': found[-1].queue_times_s,
                'queue_veh': found[-1].queue_trace_veh,
            }
            for name, found in by_name.items()
        },
    }


def judged_by() -> str:
    """Return a digest of the code that says whom to play against, and what it all means."""
    package = Path(saferl_ros.__file__).parent
    rooms = [package / 'evaluate', package / 'dataset']
    return digest_of_code(path for room in rooms for path in sorted(room.rglob('*.py')))


def judged_bundles(bundles: dict[str, Path], junction_ids: Sequence[str]) -> dict[str, Any]:
    """Return what an evaluation of these bundles names them by: name to junction to contents."""
    return {
        name: {
            junction_id: Manifest.read(found).contents
            for junction_id, found in bundles_of(folder, junction_ids).items()
        }
        for name, folder in bundles.items()
    }


def _values(manifests: Iterable[Manifest]) -> list[dict[str, float | None]]:
    """Return what FQE said of a policy beside what the recorded plans got, if it was asked."""
    return [
        {'fqe': manifest.fqe_value, 'behaviour': manifest.behaviour_value}
        for manifest in manifests
    ]


def _is_first(name: str, bundles: Iterable[str]) -> bool:
    """Whether this is a policy, and not ``cql_2``, a further training seed, beside ``cql``."""
    base, _, number = name.rpartition('_')
    return name in bundles and not (number.isdigit() and base in bundles)


def _checked(folder: Path, junction: Junction) -> Manifest:
    """Return the manifest of a whole bundle, which is for this very junction."""
    bundle = load_bundle(folder)
    bundle.require(junction.plan, junction.spec)
    return bundle.manifest


def describe_name(name: str) -> str:
    """Return what a controller is; ``cql_2`` is the second training seed of ``cql``."""
    base = name.split('_')[0] if name.split('_')[-1].isdigit() else name
    return DESCRIPTIONS.get(base, 'a policy bundle')


def summarise(results: Sequence[EpisodeResult]) -> dict[str, Any]:
    """Return each metric's mean, interval and values per demand."""
    rows = [result.metrics() for result in results]
    summary = {}
    for metric in rows[0]:
        values = [row[metric] for row in rows]
        summary[metric] = {**asdict(mean_interval(values)), 'per_seed': values}
    return summary


def delay_ratios(by_name: dict[str, list[EpisodeResult]]) -> dict[str, dict[str, Any]]:
    """Return the delay of each controller over that of each other, paired by demand."""
    delays = {name: [r.trips.delay_s for r in found] for name, found in by_name.items()}
    return {
        name: {
            other: asdict(ratio_interval(values, reference))
            for other, reference in delays.items()
            if other != name
        }
        for name, values in delays.items()
    }


def digest_of(evaluation: dict[str, Any]) -> str:
    """Return what a verdict names an evaluation by: the same from memory and from its file."""
    plain = json.loads(json.dumps(evaluation))  # as a file has it: keys are text, tuples lists
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def read_evaluation(path: Path) -> dict[str, Any]:
    """
    Read an evaluation file.

    :raises DatasetError: if it is missing, damaged, or of another format version.
    """
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
        version = data['format_version']
    except OSError as error:
        raise DatasetError(
            f"evaluation '{path}' cannot be read: {error.strerror}; 'saferl evaluate' makes one"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"'{path}' is no evaluation; make one with 'saferl evaluate'"
        ) from error
    if 'controllers' not in data:
        raise DatasetError(f"'{path}' is no evaluation; make one with 'saferl evaluate'")
    if version != EVALUATION_VERSION:
        raise DatasetError(
            f"evaluation '{path}' has format version {version}; this release reads version "
            f'{EVALUATION_VERSION}; evaluate again'
        )
    return data
