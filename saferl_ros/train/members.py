"""
Several networks that learn side by side, as one: their mean decides, and is what all learn from.

One Q-network can be wrong where others are not, and the best of its values is too high on average,
because errors upwards are chosen. A target that is the mean of several networks has fewer of both
(Anschel et al., 2017, "Averaged-DQN"). Small networks cost their calls and not their sums, so the
members' weights are stacked: five learn in little more time than one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from saferl_ros.train.library import load_d3rlpy, load_torch


@cache
def member_linear() -> Any:
    """Return the class of linear layers with weights of their own for each member."""
    torch = load_torch()

    class MemberLinear(torch.nn.Module):  # type: ignore[misc, name-defined]
        """
        Maps ``(M or 1, N, n_in)`` to ``(M, N, n_out)``, each member as ``torch.nn.Linear`` would.

        :param n_members: M.
        """

        def __init__(self, n_members: int, n_in: int, n_out: int) -> None:
            super().__init__()
            bound = n_in**-0.5
            self.weight = torch.nn.Parameter(torch.empty(n_members, n_in, n_out))
            self.bias = torch.nn.Parameter(torch.empty(n_members, 1, n_out))
            for parameter in self.parameters():
                torch.nn.init.uniform_(parameter, -bound, bound)

        def forward(self, x: Any) -> Any:
            return torch.baddbmm(self.bias, x.expand(len(self.weight), -1, -1), self.weight)

    return MemberLinear


def member_factories(create_network: Callable[[], Any]) -> tuple[Any, Any]:
    """
    Return d3rlpy's (encoder factory, Q-function factory) of networks that decide together.

    :param create_network: makes a module from observations ``(N, n_features)`` to the members'
        values ``(M, N, n_stages)``.
    """
    torch, d3rlpy = load_torch(), load_d3rlpy()
    functions = d3rlpy.models.torch.q_functions
    forwarder_type = functions.mean_q_function.DiscreteMeanQFunctionForwarder
    losses = functions.utility

    class Plain(d3rlpy.models.torch.Encoder):  # type: ignore[misc, name-defined]
        """Leaves observations as they are; the network sees them itself."""

        def __init__(self) -> None:
            super().__init__()
            self.nothing = torch.nn.Parameter(torch.empty(0))  # d3rlpy asks it for its device

        def forward(self, x: Any) -> Any:
            return x

    @dataclass()
    class PlainFactory(d3rlpy.models.EncoderFactory):  # type: ignore[misc, name-defined]
        """Makes the encoder."""

        def create(self, observation_shape: Any) -> Any:
            return Plain()

        @staticmethod
        def get_type() -> str:
            return 'saferl_plain'

    class MembersQFunction(torch.nn.Module):  # type: ignore[misc, name-defined]
        """The mean of the members' values."""

        def __init__(self) -> None:
            super().__init__()
            self.members = create_network()

        def forward(self, x: Any) -> Any:
            return functions.base.QFunctionOutput(
                q_value=self.members(x).mean(dim=0), quantiles=None, taus=None
            )

    class MembersForwarder(forwarder_type):  # type: ignore[misc, valid-type]
        """
        d3rlpy's door to the network: the mean to all, except where an error is learned from.

        CQL asks for the values of a batch twice, for its error and to be conservative; the second
        time they are there already.
        """

        _asked: Any = None  # observations of the last error
        _answer: Any = None  # the members' values of them

        def compute_expected_q(self, x: Any) -> Any:
            members = self._answer if x is self._asked else self._q_func.members(x)
            self._asked = self._answer = None
            mean = members.mean(dim=0)
            if not members.requires_grad:
                return mean
            total = members.sum(dim=0)  # the value is the mean, and each member's gradient whole:
            return mean.detach() + (total - total.detach())  # the conservative term at full weight

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
            members = self._q_func.members(observations)
            self._asked, self._answer = observations, members
            taken = actions.reshape(1, -1, 1).expand(len(members), -1, 1)
            wanted = (rewards + gamma * target * (1 - terminals)).expand(len(members), -1, 1)
            errors = losses.compute_huber_loss(members.gather(2, taken), wanted)
            return losses.compute_reduce(errors.sum(dim=0), reduction)

    @dataclass()
    class MembersQFunctionFactory(d3rlpy.models.MeanQFunctionFactory):  # type: ignore[misc, name-defined]
        """Makes the network and its door."""

        def create_discrete(self, encoder: Any, hidden_size: int, action_size: int) -> Any:
            q_function = MembersQFunction()
            return q_function, MembersForwarder(q_function, action_size)

        @staticmethod
        def get_type() -> str:
            return 'saferl_members'

    return PlainFactory(), MembersQFunctionFactory()
