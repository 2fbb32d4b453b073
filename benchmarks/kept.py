"""What the page needs of a benchmark run, kept under ``docs/benchmark/``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from saferl_ros.dataset.intervals import Interval
from saferl_ros.evaluate.judge import read_evaluation
from saferl_ros.evaluate.statistics import Scores

KEPT = Path(__file__).parents[1] / 'docs' / 'benchmark'


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
    path = KEPT / f'{run_dir.name}.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept, sort_keys=True) + '\n', encoding='utf-8')
    return path


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
