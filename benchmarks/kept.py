"""What the page needs of a benchmark run, kept under ``docs/benchmark/``."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from saferl_ros.bundle.folders import bundles_of
from saferl_ros.bundle.manifest import Manifest
from saferl_ros.cli.run_config import RunConfig
from saferl_ros.dataset.intervals import Interval
from saferl_ros.evaluate.judge import read_evaluation
from saferl_ros.evaluate.statistics import Scores
from saferl_ros.yaml_file import read_yaml

KEPT = Path(__file__).parents[1] / 'docs' / 'benchmark'


def keep(run_dir: Path) -> Path:
    """Store what the page needs of a run; return the file."""
    evaluation = read_evaluation(run_dir / 'evaluation.json')
    evaluation.pop('traces')
    quality = json.loads((run_dir / 'quality.json').read_text(encoding='utf-8'))
    first = quality[0] if isinstance(quality, list) else quality
    folders = bundles_of(run_dir / 'cql', evaluation['junction_ids'])
    manifests = [Manifest.read(folder) for folder in folders.values()]
    kept = {
        'config': json.loads((run_dir / 'config.yaml').read_text(encoding='utf-8')),
        'price': first['price'],
        'hours': first['hours'],
        'family': first['family'],
        'observation_version': manifests[0].spec['version'],
        'plans': plans_digest(one.plan_fingerprint for one in manifests),
        'times_s': json.loads((run_dir / 'times.json').read_text(encoding='utf-8')),
        'gate': json.loads((run_dir / 'gate.json').read_text(encoding='utf-8')),
        'evaluation': evaluation,
    }
    path = KEPT / f'{run_dir.name}.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept, sort_keys=True) + '\n', encoding='utf-8')
    return path


def plans_digest(fingerprints: Iterable[str]) -> str:
    """Return one digest for the signal plans of a scenario, in the order of its junctions."""
    return hashlib.sha256(' '.join(fingerprints).encode()).hexdigest()[:16]


@cache
def plans_today(name: str) -> str:
    """Return the digest of the plans that a map's configuration derives today."""
    config = read_yaml(KEPT.parents[1] / 'config' / 'benchmark' / f'{name}.yaml', RunConfig)
    return plans_digest(junction.plan.fingerprint() for junction in config.load_junctions())


def plans_words(name: str, kept: dict[str, Any]) -> str:
    """Return a caution where a result was played under other signal plans than today's."""
    if kept['plans'] == plans_today(name):
        return ''
    return ' Played under other signal plans, with other clearances, than today.'


def read_kept(name: str) -> dict[str, Any]:
    """Return a kept result, empty if there is none."""
    path = KEPT / f'{name}.json'
    found: dict[str, Any] = {}
    if path.exists():
        found = json.loads(path.read_text(encoding='utf-8'))
    return found


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
