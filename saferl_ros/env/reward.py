"""
Rewards. Safety is never a reward term: costs are their own columns (``env.cost``).

``time_lost`` (the default) is ours; the other names, and any callable, are sumo-rl's own functions
called on a view of the junction (``env.sumo_rl_view``), so their numbers are sumo-rl's numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
import math
from typing import Any, get_args, Literal, Protocol

from saferl_ros.errors import UsageError
from saferl_ros.sumo.home import direct

RewardName = Literal['time_lost', 'diff-waiting-time', 'average-speed', 'queue', 'pressure']
REWARDS: tuple[RewardName, ...] = get_args(RewardName)


MOMENTARY = ('average-speed', 'queue', 'pressure')  # how it is when a decision ends


class Reward(Protocol):
    """What the junction simulation asks of a reward."""

    def sample(self) -> None:
        """Take note of one simulation step."""

    def collect(self) -> float:
        """Return the reward since the last call and start over."""


class WaitingOutside:
    """
    How many vehicles wait to be inserted, by the edge on which they will begin.

    One for all junctions of a simulation: in a jammed network thousands wait, and their names
    are read once a second instead of once for each junction and each of its edges.

    :param api: libsumo or a TraCI connection.
    """

    def __init__(self, api: Any) -> None:
        self._names = direct(api.simulation.getPendingVehicles)
        self._route = direct(api.vehicle.getRoute)
        self._waiting: tuple[str, ...] = ()  # those of the last step, seldom others
        self._edges: dict[str, str] = {}  # by vehicle
        self._at: Counter[str] = Counter()

    def read(self) -> None:
        """Take note of who waits after this simulation step."""
        waiting = self._names()
        if waiting == self._waiting:
            return
        self._waiting, known = waiting, self._edges
        self._edges = {
            vehicle: known.get(vehicle) or self._route(vehicle)[0] for vehicle in waiting
        }
        self._at = Counter(self._edges.values())

    def at(self, edge: str) -> int:
        """Return how many wait to enter there."""
        return self._at[edge]


class TimeLost:
    """
    Minus the time that vehicles lose on the approaches [vehicle-seconds].

    Each second every vehicle on an approach adds ``1 - v / v_max`` and every vehicle that
    waits to be inserted there adds 1.

    :param api: libsumo or a TraCI connection.
    :param edges: the approaches on which lost time counts.
    :param step_s: simulation step [s].
    :param outside: who waits to be inserted, read before each ``sample``.
    """

    def __init__(self, api: Any, edges: list[str], step_s: float, outside: WaitingOutside) -> None:
        self._n_vehicles = direct(api.edge.getLastStepVehicleNumber)
        self._mean_mps = direct(api.edge.getLastStepMeanSpeed)
        self._outside = outside
        self._edges = [(edge, 1.0 / max(0.1, _speed_limit_mps(api, edge))) for edge in edges]
        self._step_s = step_s
        self._lost_veh = 0.0

    def sample(self) -> None:
        """Add the vehicles' lost share of this step."""
        n_vehicles, mean_mps, outside = self._n_vehicles, self._mean_mps, self._outside.at
        lost_veh = 0.0
        for edge, slowness in self._edges:
            n = n_vehicles(edge)
            if n:
                lost = 1.0 - mean_mps(edge) * slowness
                if lost > 0.0:
                    lost_veh += n * lost
            lost_veh += outside(edge)
        self._lost_veh += lost_veh

    def collect(self) -> float:
        """Return minus the lost time since the last call [vehicle-seconds]."""
        reward, self._lost_veh = -self._lost_veh * self._step_s, 0.0
        return reward


def _speed_limit_mps(api: Any, edge: str) -> float:
    lanes = range(api.edge.getLaneNumber(edge))
    return max(float(api.lane.getMaxSpeed(f'{edge}_{n}')) for n in lanes)


class NotCounted:
    """No reward, for judging: it needs none, and reading every approach each second takes time."""

    def sample(self) -> None:
        """Nothing."""

    def collect(self) -> float:
        """Return no number, so that nobody takes it for one."""
        return math.nan


class FromSumoRl:
    """
    A reward written for sumo-rl, called with a ``sumo_rl.TrafficSignal`` at each decision.

    :param function: one of sumo-rl's names or a callable.
    :param traffic_signal: the view of the junction.
    """

    def __init__(self, function: str | Callable[[Any], float], traffic_signal: Any) -> None:
        self._function = (
            type(traffic_signal).reward_fns[function] if isinstance(function, str) else function
        )
        self._traffic_signal = traffic_signal

    def sample(self) -> None:
        """Nothing: sumo-rl's rewards look at the moment of the decision."""

    def collect(self) -> float:
        """Return the function's value now."""
        return float(self._function(self._traffic_signal))


def check_reward(reward: str | Callable[[Any], float] | None) -> None:
    """
    Refuse an unknown reward name; ``None`` counts none.

    :raises UsageError: if it is neither a known name nor callable.
    """
    if reward is not None and not callable(reward) and reward not in REWARDS:
        raise UsageError(
            f"reward '{reward}' is unknown; choose one of {', '.join(REWARDS)} or give a callable "
            'that takes a sumo_rl.TrafficSignal'
        )
