"""The episode that an environment runs, in a process of its own or in this one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from saferl_ros.env.network_simulation import prepare_to_simulate
from saferl_ros.errors import SimulationError, UsageError
from saferl_ros.isolation import IsolatedObject, Nursery
from saferl_ros.scenario import DemandVariation, Split


class RunningEpisode:
    """
    Holds at most one episode and calls its methods.

    :param isolate: run each episode in a fresh process. Without it a second episode in the same
        process is not reproducible.
    """

    def __init__(self, *, isolate: bool) -> None:
        self._isolate = isolate
        self._nursery: Nursery | None = None
        self._episode: Any = None

    def begin(self, factory: Callable[[], Any]) -> None:
        """End the episode that runs, if any, and start another."""
        self._end()
        if self._isolate:
            if self._nursery is None:
                self._nursery = Nursery(prepare_to_simulate)
            try:
                self._episode = self._nursery.start(factory)
            except SimulationError:
                self.close()  # the nursery may have died: the next reset has a new one
                raise
        else:
            self._episode = factory()

    def call(self, name: str, *args: Any) -> Any:
        """
        Call a method of the episode.

        :raises UsageError: if there is no episode.
        """
        if self._episode is None:
            raise UsageError('the environment has no running episode; call reset() first')
        if isinstance(self._episode, IsolatedObject):
            return self._episode.call(name, *args)
        return getattr(self._episode, name)(*args)

    def close(self) -> None:
        """End the running episode, if any, and all that was kept ready for others."""
        self._end()
        if self._nursery is not None:
            self._nursery.close()
            self._nursery = None

    def __del__(self) -> None:
        if hasattr(self, '_episode'):
            self.close()

    def _end(self) -> None:
        if self._episode is not None:
            self._episode.close()
            self._episode = None


def draw_demand(seed: int, scale_range: tuple[float, float] | None) -> DemandVariation:
    """Return the demand of an episode: the nominal one, or one with a scale from the range."""
    if scale_range is None:
        return DemandVariation(split=Split.RECORD, seed=seed, is_nominal=True)
    rng = np.random.default_rng([seed, 7])
    return DemandVariation(split=Split.RECORD, seed=seed, scale=float(rng.uniform(*scale_range)))
