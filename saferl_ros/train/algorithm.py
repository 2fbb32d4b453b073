"""Builds the d3rlpy algorithms from our configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saferl_ros.train.config import TrainConfig
from saferl_ros.train.library import load_d3rlpy, load_torch
from saferl_ros.train.masked_q import q_function_factory


def create_algorithm(
    name: str,
    config: TrainConfig,
    *,
    n_features: int,
    n_stages: int,
    legal_columns: Sequence[int],
    device: str,
) -> Any:
    """
    Return a fresh d3rlpy algorithm.

    :param name: ``cql``, ``bc`` or ``dqn``.
    :param n_features: length of the observation.
    :param n_stages: number of actions.
    :param legal_columns: see ``masked_q``.
    """
    d3rlpy = load_d3rlpy()
    encoder = d3rlpy.models.VectorEncoderFactory
    if name == 'bc':
        algorithm = d3rlpy.algos.DiscreteBCConfig(
            learning_rate=config.bc.learning_rate,
            batch_size=config.bc.batch_size,
            beta=config.bc.beta,
            encoder_factory=encoder(list(config.bc.hidden_units)),
        ).create(device=device)
    else:
        q = config.cql
        common: dict[str, Any] = {
            'learning_rate': q.learning_rate,
            'batch_size': q.batch_size,
            'gamma': q.gamma,
            'target_update_interval': q.target_update_interval,
            'n_critics': q.n_critics,
            'encoder_factory': encoder(list(q.hidden_units), use_layer_norm=q.layer_norm),
        }
        common['optim_factory'] = d3rlpy.optimizers.AdamFactory(
            lr_scheduler_factory=d3rlpy.optimizers.CosineAnnealingLRFactory(T_max=q.steps)
            if q.falling_rate
            else None
        )
        common['q_func_factory'] = q_function_factory(
            q.n_quantiles, legal_columns if q.mask_illegal else ()
        )
        algorithm = (
            d3rlpy.algos.DiscreteCQLConfig(alpha=q.alpha, **common)
            if name == 'cql'
            else d3rlpy.algos.DoubleDQNConfig(**common)
        ).create(device=device)
    algorithm.create_impl((n_features,), n_stages)
    return algorithm


def create_fqe(algorithm: Any, config: TrainConfig, *, n_features: int, n_stages: int) -> Any:
    """Return a fresh fitted Q evaluation of ``algorithm``'s greedy policy."""
    d3rlpy = load_d3rlpy()
    fqe = d3rlpy.ope.DiscreteFQE(
        algo=algorithm,
        config=d3rlpy.ope.FQEConfig(
            learning_rate=config.fqe.learning_rate,
            batch_size=config.cql.batch_size,
            gamma=config.cql.gamma,
            target_update_interval=config.fqe.target_update_interval,
            encoder_factory=d3rlpy.models.VectorEncoderFactory(list(config.cql.hidden_units)),
        ),
        device=algorithm.impl.device,
    )
    fqe.create_impl((n_features,), n_stages)
    return fqe


def scorer_module(algorithm: Any, *others: Any) -> Any:
    """
    Return a ``torch.nn.Module``: observations ``(B, n_features)`` → scores ``(B, n_stages)``.

    Scores are Q-values, or log-probabilities for behaviour cloning: not the best action, so that
    the best *legal* stage can be taken from them.

    :param others: members of the same ensemble; the mean of all values is returned.
    """
    torch = load_torch()

    class QScores(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, q_functions: Any) -> None:
            super().__init__()
            self.q_functions = torch.nn.ModuleList(q_functions)

        def forward(self, observation: Any) -> Any:
            values = [q_function(observation).q_value for q_function in self.q_functions]
            return torch.stack(values).mean(dim=0)

    class PolicyScores(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, policy: Any) -> None:
            super().__init__()
            self.encoder = policy._encoder  # d3rlpy's policy offers only a distribution
            self.head = policy._fc

        def forward(self, observation: Any) -> Any:
            return torch.log_softmax(self.head(self.encoder(observation)), dim=1)

    d3rlpy = load_d3rlpy()
    if isinstance(algorithm, d3rlpy.algos.DiscreteBC):
        return PolicyScores(algorithm.impl.modules.imitator).eval()
    return QScores([q for member in (algorithm, *others) for q in member.impl.q_function]).eval()
