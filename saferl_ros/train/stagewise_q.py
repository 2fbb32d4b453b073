"""A Q-network that treats all stages alike: permute the stages, and the values are permuted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from saferl_ros.observation.stagewise import EXISTS, IS_LEGAL, N_FLAGS, N_STAGE_FEATURES, SHOWS
from saferl_ros.train.library import load_d3rlpy, load_torch
from saferl_ros.train.masked_q import ILLEGAL_VALUE


def stagewise_factories(hidden_units: int) -> tuple[Any, Any]:
    """
    Return d3rlpy's (encoder factory, Q-function factory) of the network.

    The value of a stage comes from its own row, the row of the stage that shows, and the mean of
    all rows (Zaheer et al., 2017, "Deep Sets"). Stages that are not legal, or do not exist, have
    ``ILLEGAL_VALUE``.

    :param hidden_units: width of its layers.
    """
    torch, d3rlpy = load_torch(), load_d3rlpy()
    nn = torch.nn
    output_type = d3rlpy.models.torch.q_functions.base.QFunctionOutput
    forwarder_type = d3rlpy.models.torch.q_functions.mean_q_function.DiscreteMeanQFunctionForwarder

    class StageRows(d3rlpy.models.torch.Encoder):  # type: ignore[misc, name-defined]
        """Embeds each row, and keeps its flags in front."""

        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Sequential(
                nn.Linear(N_STAGE_FEATURES, hidden_units),
                nn.ReLU(),
                nn.Linear(hidden_units, hidden_units),
                nn.ReLU(),
            )

        def forward(self, x: Any) -> Any:
            rows = x.reshape(x.shape[0], -1, N_STAGE_FEATURES)
            hidden = self.embed(rows) * rows[:, :, EXISTS : EXISTS + 1]
            return torch.cat([rows[:, :, :N_FLAGS], hidden], dim=2).flatten(1)

    @dataclass()
    class StageRowsFactory(d3rlpy.models.EncoderFactory):  # type: ignore[misc, name-defined]
        """Makes the encoder."""

        def create(self, observation_shape: Any) -> Any:
            return StageRows()

        @staticmethod
        def get_type() -> str:
            return 'saferl_stage_rows'

    class StagewiseQFunction(nn.Module):  # type: ignore[misc, name-defined]
        """Values of all stages from their embedded rows."""

        def __init__(self, encoder: Any) -> None:
            super().__init__()
            self.encoder = encoder
            self.value = nn.Sequential(
                nn.Linear(3 * hidden_units, hidden_units), nn.ReLU(), nn.Linear(hidden_units, 1)
            )

        def forward(self, x: Any) -> Any:
            rows = self.encoder(x).reshape(x.shape[0], -1, N_FLAGS + hidden_units)
            flags, hidden = rows[:, :, :N_FLAGS], rows[:, :, N_FLAGS:]
            exists, shows = flags[:, :, EXISTS : EXISTS + 1], flags[:, :, SHOWS : SHOWS + 1]
            current = (hidden * shows).sum(dim=1, keepdim=True).expand_as(hidden)
            mean = hidden.sum(dim=1, keepdim=True) / exists.sum(dim=1, keepdim=True).clamp(min=1)
            joined = torch.cat([hidden, current, mean.expand_as(hidden)], dim=2)
            values = self.value(joined).squeeze(2)
            legal = flags[:, :, IS_LEGAL] > 0.5
            nothing = (~legal).all(dim=1, keepdim=True)  # such a row does not say what is legal
            is_open = (legal | nothing) & (exists.squeeze(2) > 0.5)
            return output_type(
                q_value=torch.where(is_open, values, ILLEGAL_VALUE), quantiles=None, taus=None
            )

    @dataclass()
    class StagewiseQFunctionFactory(d3rlpy.models.MeanQFunctionFactory):  # type: ignore[misc, name-defined]
        """Makes the network and d3rlpy's door to it."""

        def create_discrete(self, encoder: Any, hidden_size: int, action_size: int) -> Any:
            q_function = StagewiseQFunction(encoder)
            return q_function, forwarder_type(q_function, action_size)

        @staticmethod
        def get_type() -> str:
            return 'saferl_stagewise'

    return StageRowsFactory(), StagewiseQFunctionFactory()
