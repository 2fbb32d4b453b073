"""Exports a record as a Minari dataset, for tools of that ecosystem."""

from __future__ import annotations

import re
from typing import Any
import warnings

import numpy as np

from saferl_ros.dataset.schema import Record
from saferl_ros.errors import MissingExtraError, UsageError


def export_minari(record: Record, dataset_id: str) -> Any:
    """
    Write the behaviour episodes to the local Minari store.

    Elapsed times, masks, costs and behaviour probabilities travel as infos, one array a step.

    :param dataset_id: Minari's name for it, such as ``saferl/cologne1/leadlag-v0``.
    :returns: the ``minari.MinariDataset``.
    :raises UsageError: if the name is taken or malformed.
    :raises MissingExtraError: if Minari is not installed.
    """
    try:
        from gymnasium import spaces
        import minari
        from minari.data_collector import EpisodeBuffer
    except ImportError as error:
        raise MissingExtraError('minari', 'minari') from error
    _check_dataset_id(dataset_id)
    buffers = []
    for n, episode in enumerate(record.behaviour()):
        truncations = np.zeros(len(episode), dtype=bool)
        truncations[-1] = True
        buffers.append(
            EpisodeBuffer(
                id=n,
                seed=int(episode.demand['seed']),
                observations=episode.observations,
                actions=episode.applied_stage,
                rewards=episode.reward.astype(np.float64),
                terminations=np.zeros(len(episode), dtype=bool),
                truncations=truncations,
                infos={
                    'elapsed_s': np.concatenate([[0.0], episode.elapsed_s]),
                    'action_mask': episode.legal,
                    'cost': np.concatenate([np.zeros((1, episode.cost.shape[1])), episode.cost]),
                    'behaviour_prob': np.concatenate([[1.0], episode.behaviour_prob]),
                },
            )
        )
    try:
        with warnings.catch_warnings():  # it misses an environment to evaluate in; we have our own
            warnings.simplefilter('ignore', UserWarning)
            return minari.create_dataset_from_buffers(
                dataset_id,
                buffers,
                observation_space=spaces.Box(
                    record.spec.low(), record.spec.high(), dtype=np.float32
                ),
                action_space=spaces.Discrete(record.plan.n_stages),
                author='saferl_ros',
                author_email='maintainers@saferl-ros.example.org',
                code_permalink=f'saferl_ros {record.manifest.get("git_revision", "unknown")}',
                algorithm_name='fixed-time plans',
                description=f'{record.manifest["family"]["plans"]} plans on '
                f'{record.manifest["scenario"]["name"]}, recorded by saferl_ros',
            )
    except ValueError as error:
        raise UsageError(f"Minari refuses the dataset '{dataset_id}': {error}") from error


def _check_dataset_id(dataset_id: str) -> None:
    """
    Refuse what Minari cannot take as a name.

    :raises UsageError: if there is no version, or something else than namespaces before it.
    """
    if not re.fullmatch(r'(?:[\w-]+/)*[\w-]+-v\d+', dataset_id):
        raise UsageError(
            f"'{dataset_id}' is no name for a Minari dataset: it must end in a version, and may "
            "begin with namespaces, as 'saferl/mine-v0' does"
        )
