"""A running mean of a network's weights: steadier decisions than any single step's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from saferl_ros.train.library import load_torch


class WeightAverage:
    """
    Exponential moving average of a module's parameters.

    Two Q-networks of the same training, a few steps apart, can differ in many close decisions; the
    mean of the weights along the way does not (Polyak and Juditsky, 1992).

    :param module: the network that is being trained.
    :param decay: how much of the mean is kept at each update; zero keeps only the newest.
    """

    def __init__(self, module: Any, decay: float) -> None:
        self._module = module
        self._decay = decay
        self._n = 0
        self.state: dict[str, Any] = {
            name: value.detach().clone() for name, value in module.state_dict().items()
        }

    def update(self) -> None:
        """Take the module's present weights into the mean."""
        self._n += 1
        decay = min(self._decay, self._n / (self._n + 10))  # at first of the newest tenth
        torch = load_torch()
        with torch.no_grad():
            for name, value in self._module.state_dict().items():
                self.state[name].lerp_(value, 1.0 - decay)

    def load(self, saved: dict[str, Any]) -> None:
        """Go on from a saved mean."""
        self._n = int(saved['n'])
        self.state = saved['state']

    def save(self) -> dict[str, Any]:
        """Return what ``load`` takes."""
        return {'n': self._n, 'state': self.state}

    def apply(self) -> None:
        """Put the mean into the module."""
        self._module.load_state_dict(self.state)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the module have the mean for a while, and then its own weights again."""
        own = {name: value.detach().clone() for name, value in self._module.state_dict().items()}
        self.apply()
        try:
            yield
        finally:
            self._module.load_state_dict(own)
