"""Q-functions that know which stages are legal: an illegal one is never bootstrapped from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from saferl_ros.observation import ObservationSpec
from saferl_ros.train.library import load_d3rlpy, load_torch

ILLEGAL_VALUE = -1e6  # far below any return, and finite, so that nothing turns NaN


def legal_columns(spec: ObservationSpec) -> list[int]:
    """Return where the observation says which stages are legal; empty if it does not say."""
    return [n for n, feature in enumerate(spec.features()) if feature.name.endswith('_is_legal')]


def q_function_factory(n_quantiles: int, columns: Sequence[int]) -> Any:
    """
    Return a d3rlpy Q-function factory whose values of illegal stages are ``ILLEGAL_VALUE``.

    Stock d3rlpy takes the best of all actions as the value of the next state, and pushes all of
    them down in its conservative term; an action that the automaton refuses has never been tried,
    so its value is a guess. Here the mask, which the observation holds, is part of the network. An
    observation in which nothing is legal does not say what is, and masks nothing.

    :param n_quantiles: zero for expected returns, else the number of quantiles of the return.
    :param columns: from ``legal_columns``; empty for no mask.
    """
    models = load_d3rlpy().models
    torch = load_torch()
    stock = (
        models.QRQFunctionFactory(n_quantiles=n_quantiles)
        if n_quantiles
        else models.MeanQFunctionFactory()
    )
    if not columns:
        return stock
    places = torch.tensor(list(columns))

    @dataclass
    class MaskedQFunctionFactory(type(stock)):  # type: ignore[misc]
        """The stock factory with masked values."""

        def create_discrete(self, encoder: Any, hidden_size: int, action_size: int) -> Any:
            q_function, forwarder = super().create_discrete(encoder, hidden_size, action_size)
            inner = q_function.forward

            def forward(x: Any) -> Any:
                output = inner(x)
                is_legal = x[:, places] > 0.5
                is_legal = is_legal | ~is_legal.any(dim=1, keepdim=True)
                return output._replace(
                    q_value=torch.where(is_legal, output.q_value, ILLEGAL_VALUE)
                )

            q_function.forward = forward
            return q_function, forwarder

    return MaskedQFunctionFactory(**vars(stock))
