"""Builds the d3rlpy algorithms from our configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saferl_ros.observation.stagewise import StageEncoding
from saferl_ros.train.config import QLearningConfig, TrainConfig
from saferl_ros.train.library import load_d3rlpy, load_torch
from saferl_ros.train.masked_q import ILLEGAL_VALUE, masked_network, quantile_factory
from saferl_ros.train.members import member_factories
from saferl_ros.train.stagewise_q import stagewise_network


def n_members(name: str, config: QLearningConfig) -> int:
    """Return how many networks decide together; offline Double DQN is the known one, of one."""
    return config.ensemble if name == 'cql' else 1


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
    :param config: of the training, from which the algorithm's own part is taken.
    :param n_features: length of the observation.
    :param n_stages: number of actions.
    :param legal_columns: see ``masked_q``.
    :param device: as torch names it: ``cpu``, ``cuda:0``.
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
        columns = legal_columns if q.mask_illegal else ()
        if q.n_quantiles:
            factories = encoder(list(q.hidden_units)), quantile_factory(q.n_quantiles, columns)
        else:
            factories = member_factories(
                lambda: masked_network(
                    n_members(name, q), n_features, q.hidden_units, n_stages, columns
                )
            )
        algorithm = _q_learning(name, config, *factories, device)
    algorithm.create_impl((n_features,), n_stages)
    return algorithm


def create_shared(
    name: str, config: TrainConfig, *, n_features: int, n_stages: int, device: str
) -> Any:
    """
    Return a fresh d3rlpy algorithm whose network treats all stages alike.

    :param name: ``cql`` or ``dqn``.
    :param config: of the training, from which the algorithm's own part is taken.
    :param n_features: length of the stage-wise observation.
    :param n_stages: of the largest junction.
    :param device: as torch names it: ``cpu``, ``cuda:0``.
    """
    factories = member_factories(
        lambda: stagewise_network(n_members(name, config.cql), config.cql.hidden_units[0])
    )
    algorithm = _q_learning(name, config, *factories, device)
    algorithm.create_impl((n_features,), n_stages)
    return algorithm


def _q_learning(name: str, config: TrainConfig, encoder: Any, q_function: Any, device: str) -> Any:
    d3rlpy, q = load_d3rlpy(), config.cql
    schedule = (
        d3rlpy.optimizers.CosineAnnealingLRFactory(T_max=q.steps) if q.falling_rate else None
    )
    common: dict[str, Any] = {
        'learning_rate': q.learning_rate,
        'batch_size': q.batch_size,
        'gamma': q.gamma,
        'target_update_interval': q.target_update_interval,
        'n_critics': q.n_critics,
        'optim_factory': d3rlpy.optimizers.AdamWFactory(
            weight_decay=q.weight_decay, lr_scheduler_factory=schedule
        ),
        'encoder_factory': encoder,
        'q_func_factory': q_function,
    }
    if name == 'cql':
        return d3rlpy.algos.DiscreteCQLConfig(alpha=q.alpha, **common).create(device=device)
    return d3rlpy.algos.DoubleDQNConfig(**common).create(device=device)


def shared_scorer_module(
    encoding: StageEncoding, algorithm: Any, *, pessimism: float = 0.0
) -> Any:
    """
    Return a ``torch.nn.Module`` like ``scorer_module``'s for one junction of a shared policy.

    :param encoding: of that junction.
    :param algorithm: from ``create_shared``, trained.
    :param pessimism: see ``scorer_module``.
    """
    torch = load_torch()

    class SharedScores(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.scores = scorer_module(algorithm, pessimism=pessimism)
            self.register_buffer('matrix', torch.from_numpy(encoding.matrix.T.copy()))
            self.register_buffer('offset', torch.from_numpy(encoding.offset))

        def forward(self, observation: Any) -> Any:
            scores = self.scores(observation @ self.matrix + self.offset)
            return scores.reshape(-1, encoding.n_stages)  # a shape that the file states

    return SharedScores().eval()


def scorer_module(algorithm: Any, *, pessimism: float = 0.0) -> Any:
    """
    Return a ``torch.nn.Module``: observations ``(B, n_features)`` → scores ``(B, n_stages)``.

    Scores are Q-values, or log-probabilities for behaviour cloning: not the best action, so that
    the best *legal* stage can be taken from them.

    :param pessimism: how many standard deviations between the members of an ensemble are taken off
        the mean of their values.
        The members' values of a state differ as a whole, which decides nothing; the deviation is
        that of each stage's value from the member's mean over the legal stages. Between two
        stages it is alike, so that it decides only where three or more are legal.
    """
    torch = load_torch()

    class QScores(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, q_functions: Any) -> None:
            super().__init__()
            self.q_functions = torch.nn.ModuleList(q_functions)

        def forward(self, observation: Any) -> Any:
            values = torch.cat([_members(q, observation) for q in self.q_functions])
            mean = values.mean(dim=0)
            if not pessimism or len(values) < 2:
                return mean
            is_legal = (mean > ILLEGAL_VALUE / 2).to(mean.dtype)
            base = (values * is_legal).sum(dim=2) / is_legal.sum(dim=1).clamp(min=1.0)
            advantages = values - base[:, :, None]
            return mean - pessimism * advantages.std(dim=0) * is_legal

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
    return QScores(algorithm.impl.q_function).eval()


def _members(q_function: Any, observation: Any) -> Any:
    """Return the values of all members, shape ``(M, N, n_stages)``."""
    if hasattr(q_function, 'members'):
        return q_function.members(observation)
    return q_function(observation).q_value[None]
