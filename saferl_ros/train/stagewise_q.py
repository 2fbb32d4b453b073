"""A Q-network that treats all stages alike: permute the stages, and the values are permuted."""

from __future__ import annotations

from typing import Any

from saferl_ros.observation.stagewise import EXISTS, IS_LEGAL, N_FLAGS, N_STAGE_FEATURES, SHOWS
from saferl_ros.train.library import load_torch
from saferl_ros.train.masked_q import ILLEGAL_VALUE, is_open
from saferl_ros.train.members import member_linear


def stagewise_network(n_members: int, hidden_units: int) -> Any:
    """
    Return a network for ``member_factories``.

    The value of a stage comes from its own row, the row of the stage that shows, and the mean of
    all rows (Zaheer et al., 2017, "Deep Sets"). Stages that are not legal, or do not exist, have
    ``ILLEGAL_VALUE``.

    :param hidden_units: width of its layers.
    """
    torch, linear = load_torch(), member_linear()
    relu = torch.nn.ReLU()

    class StagewiseNetwork(torch.nn.Module):  # type: ignore[misc, name-defined]
        """Embeds each row; values come from the rows together."""

        def __init__(self) -> None:
            super().__init__()
            self.embed = torch.nn.Sequential(
                linear(n_members, N_STAGE_FEATURES, hidden_units),
                relu,
                linear(n_members, hidden_units, hidden_units),
                relu,
            )
            self.own = linear(n_members, hidden_units, hidden_units)
            self.context = linear(n_members, 2 * hidden_units, hidden_units)
            self.value = linear(n_members, hidden_units, 1)

        def forward(self, x: Any) -> Any:
            rows = x.reshape(x.shape[0], -1, N_STAGE_FEATURES)
            n_stages = rows.shape[1]
            flags = rows[:, :, :N_FLAGS]
            exists, shows = flags[:, :, EXISTS : EXISTS + 1], flags[:, :, SHOWS : SHOWS + 1]
            shape = (n_members, -1, n_stages, hidden_units)
            flat = self.embed(rows.reshape(1, -1, N_STAGE_FEATURES))
            hidden = flat.reshape(shape) * exists
            current = (hidden * shows).sum(dim=2)
            mean = hidden.sum(dim=2) / exists.sum(dim=1).clamp(min=1)
            context = self.context(torch.cat([current, mean], dim=2))
            own = self.own(hidden.reshape(n_members, -1, hidden_units)).reshape(shape)
            both = relu(own + context[:, :, None])
            values = self.value(both.reshape(n_members, -1, hidden_units))
            columns = range(IS_LEGAL, x.shape[1], N_STAGE_FEATURES)
            may_be = is_open(x, columns) & (exists.squeeze(2) > 0.5)
            return torch.where(may_be, values.reshape(n_members, -1, n_stages), ILLEGAL_VALUE)

    return StagewiseNetwork()
