"""Q-functions that know which stages are legal: an illegal one is never bootstrapped from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from saferl_ros.observation import ObservationSpec
from saferl_ros.train.library import load_d3rlpy, load_torch
from saferl_ros.train.members import member_linear

ILLEGAL_VALUE = -1e6  # far below any return, and finite, so that nothing turns NaN


def legal_columns(spec: ObservationSpec) -> list[int]:
    """Return where the observation says which stages are legal; empty if it does not say."""
    return [n for n, feature in enumerate(spec.features()) if feature.name.endswith('_is_legal')]


def is_open(observations: Any, columns: Sequence[int]) -> Any:
    """
    Return which stages may be chosen, shape ``(N, n_stages)``, as the observations say.

    An observation in which nothing is legal does not say what is, and closes nothing.

    :param columns: from ``legal_columns``.
    """
    is_legal = observations[:, list(columns)] > 0.5
    return is_legal | ~is_legal.any(dim=1, keepdim=True)


def masked_network(
    n_members: int,
    n_features: int,
    hidden_units: Sequence[int],
    n_stages: int,
    columns: Sequence[int],
) -> Any:
    """
    Return a network for ``member_factories`` whose values of illegal stages are ``ILLEGAL_VALUE``.

    Stock d3rlpy takes the best of all actions as the value of the next state, and pushes all of
    them down in its conservative term; an action that the automaton refuses has never been tried,
    so its value is a guess. Here the mask, which the observation holds, is part of the network.

    :param columns: from ``legal_columns``; empty for no mask.
    """
    torch, linear = load_torch(), member_linear()

    class MaskedNetwork(torch.nn.Module):  # type: ignore[misc, name-defined]
        """Layers of each member, then the mask."""

        def __init__(self) -> None:
            super().__init__()
            sizes = [n_features, *hidden_units]
            hidden = [
                layer
                for n_in, n_out in pairwise(sizes)
                for layer in (linear(n_members, n_in, n_out), torch.nn.ReLU())
            ]
            self.layers = torch.nn.Sequential(*hidden, linear(n_members, sizes[-1], n_stages))

        def forward(self, x: Any) -> Any:
            values = self.layers(x[None])
            if not columns:
                return values
            return torch.where(is_open(x, columns), values, ILLEGAL_VALUE)

    return MaskedNetwork()


def quantile_factory(n_quantiles: int, columns: Sequence[int]) -> Any:
    """
    Return d3rlpy's Q-function factory of the distribution of returns, masked in the same way.

    :param columns: from ``legal_columns``; empty for no mask.
    """
    models = load_d3rlpy().models
    torch = load_torch()
    stock = models.QRQFunctionFactory(n_quantiles=n_quantiles)
    if not columns:
        return stock

    @dataclass
    class MaskedQuantileFactory(models.QRQFunctionFactory):  # type: ignore[misc, name-defined]
        """The stock factory with masked values."""

        def create_discrete(self, encoder: Any, hidden_size: int, action_size: int) -> Any:
            q_function, forwarder = super().create_discrete(encoder, hidden_size, action_size)
            inner = q_function.forward

            def forward(x: Any) -> Any:
                output = inner(x)
                return output._replace(
                    q_value=torch.where(is_open(x, columns), output.q_value, ILLEGAL_VALUE)
                )

            q_function.forward = forward
            return q_function, forwarder

    return MaskedQuantileFactory(**vars(stock))
