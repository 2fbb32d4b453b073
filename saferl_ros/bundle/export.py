"""Writes a trained policy as a bundle: an ONNX network, its guard, a manifest; never a pickle."""

from __future__ import annotations

import json
import logging
from pathlib import Path
import shutil
from typing import Any
import warnings

import numpy as np

from saferl_ros import __version__
from saferl_ros.bundle.load import load_bundle
from saferl_ros.bundle.manifest import GUARD_NAME, Manifest, PARTIAL, POLICY_NAME, sha256
from saferl_ros.dataset.guard_fit import fit_guard, guard_obstacle
from saferl_ros.dataset.schema import Record
from saferl_ros.env.junction import DECISION_S
from saferl_ros.errors import BundleError
from saferl_ros.observation.stagewise import StageEncoding
from saferl_ros.record.revision import git_revision
from saferl_ros.train.algorithm import scorer_module, shared_scorer_module
from saferl_ros.train.config import TrainConfig
from saferl_ros.train.learner import Training
from saferl_ros.train.library import load_torch

MAX_ERROR = 1e-4  # largest difference allowed between torch and onnxruntime; of scores beyond
# one relative to them, as single precision is


def export_bundle(
    training: Training,
    record: Record,
    config: TrainConfig,
    folder: Path,
    *,
    dataset_sha256: str,
    is_shared: bool = False,
    has_guard: bool = True,
) -> None:
    """
    Write a bundle and check that it computes what torch computes.

    The out-of-distribution guard is fitted to the record's behaviour; a record that is too small
    for one gives a bundle without.

    :param folder: replaced if it exists.
    :param is_shared: whether the network is that of several junctions.
    :param has_guard: false where the policy did not learn from this very record.
    :raises BundleError: if the training diverged, or the exported network differs from torch's by
        more than 1e-4.
    """
    torch = load_torch()
    algorithm, pessimism = training.algorithm, config.cql.pessimism
    if is_shared:
        encoding = StageEncoding(record.plan, record.spec)
        module = shared_scorer_module(encoding, algorithm, pessimism=pessimism).cpu()
    else:
        module = scorer_module(algorithm, pessimism=pessimism).cpu()
    observations = record.episodes[0].observations[:200]
    with torch.no_grad():
        expected = module(torch.from_numpy(observations)).numpy()
    if not np.isfinite(expected).all():
        raise BundleError(
            f'{training.name} of junction {record.plan.junction_id} diverged: its scores are no '
            'numbers any more; try a lower learning_rate'
        )
    partial = folder.with_name(folder.name + PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    example = torch.zeros(2, record.spec.size)
    export_onnx(torch, module, example, partial / POLICY_NAME)
    if has_guard:
        _write_guard(record, partial / GUARD_NAME)
    Manifest(
        package_version=__version__,
        git_revision=git_revision(),
        algorithm=training.name,
        seed=training.seed,
        config=config.model_dump(mode='json'),
        junction_id=record.plan.junction_id,
        scenario=record.manifest['scenario']['name'],
        plan=record.plan.to_json(),
        plan_fingerprint=record.plan.fingerprint(),
        spec=record.spec.to_json(),
        spec_fingerprint=record.spec.fingerprint(),
        decision_s=DECISION_S,
        dataset_sha256=dataset_sha256,
        family=record.manifest.get('family'),
        n_transitions=training.n_transitions,
        fqe_value=training.fqe_value,
        behaviour_value=training.behaviour_value,
        files={file.name: sha256(file) for file in sorted(partial.iterdir())},
    ).write(partial)
    bundle = load_bundle(partial)
    found = np.stack([bundle.scores(observation) for observation in observations])
    error = float((np.abs(found - expected) / np.maximum(1.0, np.abs(expected))).max())
    if not error <= MAX_ERROR:
        shutil.rmtree(partial)
        raise BundleError(
            f'the exported policy differs from torch by {error:.2g}, allowed is {MAX_ERROR:g}'
        )
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _write_guard(record: Record, path: Path) -> None:
    """Write the guard of the record's behaviour, or nothing if that cannot teach one."""
    episodes = record.behaviour()
    if not guard_obstacle(episodes, record.spec):
        model = fit_guard(episodes, record.spec)
        path.write_text(json.dumps(model.to_json(), sort_keys=True) + '\n', encoding='utf-8')


def export_onnx(torch: Any, module: Any, example: Any, path: Path) -> None:
    """Export quietly; torch's exporter is talkative about things that do not matter here."""
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            module,
            (example,),
            str(path),
            input_names=['observation'],
            output_names=['scores'],
            dynamic_axes={'observation': {0: 'batch'}, 'scores': {0: 'batch'}},
            dynamo=False,
        )
