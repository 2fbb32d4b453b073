"""
Fitted Q evaluation of choices worked out beforehand, with d3rlpy's own DiscreteFQE.

d3rlpy's Q-functions learn by the Huber loss, which draws large errors towards their median. A cost
that is rare and large, as a jam is, then hardly counts, and a policy that jams now and then looks
cheaper than one that never does. Here they learn by squared errors, whose best answer is the mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from saferl_ros.train.library import load_d3rlpy, load_torch

BATCH_SIZE = 256
N_STEPS = 1000
TARGET_INTERVAL = 10  # 100 rounds: at a discount of 0.97 what is left of the start is 0.05
LEARNING_RATE = 1e-3
HIDDEN_UNITS = (64, 64)  # with layer norm: without, values of choices never seen ran away


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenTransitions:
    """What was recorded."""

    observations: npt.NDArray[np.float32]  # (N, n_features)
    actions: npt.NDArray[np.int64]  # (N,) the stage that was turned to
    costs: npt.NDArray[np.float64]  # (N,) until the next decision, undiscounted
    next_observations: npt.NDArray[np.float32]  # (N, n_features)
    intervals: npt.NDArray[np.float64]  # (N,) elapsed time over the time unit of the discount
    n_stages: int


def discounted_cost(
    data: ChosenTransitions,
    choices: npt.NDArray[np.int64],
    next_choices: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
    *,
    gamma: float,
    seed: int,
    n_steps: int = N_STEPS,
    progress: Callable[[int], None] = lambda done: None,
) -> float:
    """
    Return the discounted cost of a policy, averaged over all recorded decisions.

    Fitted Q evaluation: Le et al., "Batch Policy Learning under Constraints" (2019). The mean cost
    is taken out before and put back after: it is worth the same under every policy, so that the
    network has only what differs to learn.

    :param choices: the policy's stage at each decision, shape ``(N,)``.
    :param next_choices: its stage at the following decision, shape ``(N,)``.
    :param counts: how often each transition is taken, shape ``(N,)``; a bootstrap resamples so.
    :param gamma: discount per time unit, below 1.
    :param seed: of the network and of the batches.
    :raises MissingExtraError: if d3rlpy is not installed.
    """
    d3rlpy, torch = load_d3rlpy(), load_torch()
    rng = np.random.default_rng(seed)
    d3rlpy.seed(seed)
    mean_cost = float((counts * data.costs).sum() / (counts * data.intervals).sum())
    # an even cost over the interval, discounted within it, so that what is put back is exact
    spread = (1 - gamma**data.intervals) / (1 - gamma)
    rest = data.costs * spread / data.intervals - mean_cost * spread
    scale = max(float(rest.std()), 1e-9)
    rewards = (-rest / scale).astype(np.float32)[:, None]
    intervals = data.intervals.astype(np.float32)[:, None]
    actions = data.actions.astype(np.float32)[:, None]
    terminals = np.zeros((BATCH_SIZE, 1), dtype=np.float32)
    policy = _Chosen(torch)
    fqe = _create(d3rlpy, policy, gamma, data)
    cumulated = np.cumsum(counts)
    draws = rng.integers(0, cumulated[-1], size=(n_steps, BATCH_SIZE))
    for step, index in enumerate(np.searchsorted(cumulated, draws, side='right')):
        policy.stages = next_choices[index]
        fqe.update(
            d3rlpy.dataset.TransitionMiniBatch(
                observations=data.observations[index],
                actions=actions[index],
                rewards=rewards[index],
                next_observations=data.next_observations[index],
                next_actions=actions[index],  # d3rlpy's FQE asks the policy instead
                terminals=terminals,
                intervals=intervals[index],
                transitions=[],
            )
        )
        progress(step + 1)
    values = fqe.predict_value(data.observations, choices)
    return float(mean_cost / (1 - gamma) - scale * np.mean(values))


class _Chosen:
    """Stands where d3rlpy expects the implementation of an algorithm: says what was chosen."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        self.stages: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)  # of the next batch

    def predict_best_action(self, observations: Any) -> Any:
        """Return the stages of this batch; they were chosen among the legal ones."""
        return self._torch.as_tensor(self.stages)


def _create(d3rlpy: Any, policy: _Chosen, gamma: float, data: ChosenTransitions) -> Any:
    fqe = d3rlpy.ope.DiscreteFQE(
        algo=SimpleNamespace(impl=policy),
        config=d3rlpy.ope.FQEConfig(
            learning_rate=LEARNING_RATE,
            batch_size=BATCH_SIZE,
            gamma=gamma,
            target_update_interval=TARGET_INTERVAL,
            encoder_factory=d3rlpy.models.VectorEncoderFactory(
                list(HIDDEN_UNITS), use_layer_norm=True
            ),
            q_func_factory=_squared_error_factory(),
        ),
        device='cpu',
    )
    fqe.create_impl((data.observations.shape[1],), data.n_stages)
    return fqe


@cache
def _squared_error_factory() -> Any:
    """Return d3rlpy's Q-function factory of mean values, with squared errors."""
    torch, models = load_torch(), load_d3rlpy().models
    q_functions = models.torch.q_functions

    class SquaredErrorForwarder(q_functions.mean_q_function.DiscreteMeanQFunctionForwarder):  # type: ignore[misc, name-defined]
        """d3rlpy's door to the network."""

        def compute_error(
            self,
            observations: Any,
            actions: Any,
            rewards: Any,
            target: Any,
            terminals: Any,
            gamma: Any = 0.99,
            reduction: str = 'mean',
        ) -> Any:
            values = self._q_func(observations).q_value.gather(1, actions.reshape(-1, 1))
            wanted = rewards + gamma * target * (1 - terminals)
            return torch.nn.functional.mse_loss(values, wanted, reduction=reduction)

    @dataclass()
    class SquaredErrorFactory(models.MeanQFunctionFactory):  # type: ignore[misc, name-defined]
        """The stock network behind that door."""

        def create_discrete(self, encoder: Any, hidden_size: int, action_size: int) -> Any:
            q_function, _ = super().create_discrete(encoder, hidden_size, action_size)
            return q_function, SquaredErrorForwarder(q_function, action_size)

        @staticmethod
        def get_type() -> str:
            return 'saferl_squared_error'

    return SquaredErrorFactory()
