"""An illegal action with a tempting value is never bootstrapped from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saferl_ros.train.algorithm import create_algorithm
from saferl_ros.train.config import TrainConfig
from saferl_ros.train.library import load_d3rlpy
from saferl_ros.train.replay import batches, Transitions

# features: at A, at B, stage 0 is legal, stage 1 is legal
A, B = [1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 1.0, 0.0]
TEMPTATION = 10.0


def value_of_staying_at_b(name: str, **settings: Any) -> float:
    """
    Learn from a log in which stage 1 paid well at A, and was never legal at B.

    At B every second brings nothing, so its true value is zero; a learner that takes the best of
    all stages there believes in stage 1, whose value it only guesses from A.
    """
    steps = [(A, 1, TEMPTATION, B), (A, 0, 0.0, B), (B, 0, 0.0, B)] * 100
    data = Transitions(
        observations=np.array([step[0] for step in steps], dtype=np.float32),
        actions=np.array([step[1] for step in steps]),
        next_actions=np.zeros(len(steps), dtype=np.int64),
        rewards=np.array([step[2] for step in steps], dtype=np.float32),
        plain_rewards=np.array([step[2] for step in steps], dtype=np.float32),
        next_observations=np.array([step[3] for step in steps], dtype=np.float32),
        intervals=np.ones(len(steps), dtype=np.float32),
        weights=np.ones(len(steps), dtype=np.float32),
    )
    config = TrainConfig.model_validate(
        {
            'cql': {
                'gamma': 0.9,
                'learning_rate': 3e-3,
                'falling_rate': False,
                'target_update_interval': 50,
                **settings,
            }
        }
    )
    load_d3rlpy().seed(1)
    algorithm = create_algorithm(
        name, config, n_features=4, n_stages=2, legal_columns=[2, 3], device='cpu'
    )
    for batch in batches(data, 64, 1000, np.random.default_rng(0)):
        algorithm.update(batch)
    return float(algorithm.predict_value(np.array([B], np.float32), np.array([0]))[0])


@pytest.mark.parametrize(
    ('name', 'settings'),
    [
        ('cql', {}),
        ('dqn', {}),
        ('cql', {'n_quantiles': 4, 'ensemble': 1}),
        ('cql', {'n_critics': 2, 'ensemble': 2}),
    ],
)
def test_a_tempting_illegal_stage_is_never_bootstrapped_from(
    name: str, settings: dict[str, Any]
) -> None:
    assert abs(value_of_staying_at_b(name, **settings)) < 0.3
    tempted = value_of_staying_at_b(name, **settings, mask_illegal=False)
    assert tempted > 2.0  # else the log tempts nobody
