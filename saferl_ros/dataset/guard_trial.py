"""
Tries a fitted guard on recorded episodes: how often it cries wolf, and whether it notices faults.

A fault is written into the observations of an episode, one lane at a time; its traffic is not
simulated anew, so that nothing reacts to the fault (``benchmarks/guard.py``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from saferl_ros.dataset.guard_fit import guard_scores, LANE_PARTS, observed_parts
from saferl_ros.dataset.intervals import Interval, ratio_interval
from saferl_ros.dataset.schema import Episode
from saferl_ros.errors import UsageError
from saferl_ros.observation import ObservationSpec
from saferl_ros.shield.guard import Guard, GuardModel


def false_alarm_interval(
    model: GuardModel, episodes: Sequence[Episode], *, seed: int = 0
) -> Interval:
    """
    Return the share of observations above the threshold, with its 95 % interval.

    Whole episodes are resampled, since the decisions of one are correlated.

    :param episodes: ordinary ones that the guard was not fitted to, at least one.
    """
    over = [float((guard_scores(model, e.observations) > model.threshold).sum()) for e in episodes]
    return ratio_interval(over, [float(len(e.observations)) for e in episodes], seed=seed)


def replay(
    guard: Guard,
    observations: npt.NDArray[np.floating],
    elapsed_s: npt.NDArray[np.floating],
) -> npt.NDArray[np.bool_]:
    """
    Show a guard one episode, and return when it was in alarm.

    :param observations: shape ``(T + 1, n_features)``.
    :param elapsed_s: time from each observation to the next [s], shape ``(T,)``.
    :returns: shape ``(T + 1,)``.
    """
    times_s = np.concatenate([[0.0], np.cumsum(elapsed_s, dtype=np.float64)])
    pairs = zip(observations, times_s, strict=True)
    return np.array([guard.update(observation, float(now_s)) for observation, now_s in pairs])


def stick_on(
    observations: npt.NDArray[np.float32],
    spec: ObservationSpec,
    lane_id: str,
    *,
    from_decision: int,
    is_moving: bool = False,
    fill_ratio: float = 1.0,
    occupancy_ratio: float = 1.0,
) -> npt.NDArray[np.float32]:
    """
    Return a copy in which a lane's detector is occupied from a decision on, whatever happens.

    :param observations: one episode's, shape ``(T + 1, spec.size)``.
    :param is_moving: its vehicles are reported as moving instead of queueing.
    :param fill_ratio: how many, as a share of the feature's maximum; half of it is a full lane.
    :param occupancy_ratio: reported occupancy; a standing queue covers about 0.7 of a lane.
    :raises UsageError: if the spec has no such lane.
    """
    high, silent = spec.high(), 'queue' if is_moving else 'moving'
    values = {
        part: float(high[n]) * {'occupancy': occupancy_ratio, silent: 0.0}.get(part, fill_ratio)
        for part, n in _lane_parts(spec, lane_id).items()
    }
    if is_moving and 'waiting' in values:
        values['waiting'] = 0.0
    return _stuck(observations, spec, lane_id, from_decision, values)


def stick_off(
    observations: npt.NDArray[np.float32],
    spec: ObservationSpec,
    lane_id: str,
    *,
    from_decision: int,
) -> npt.NDArray[np.float32]:
    """
    Return a copy in which a lane's detector reports nobody from a decision on.

    :param observations: one episode's, shape ``(T + 1, spec.size)``.
    :raises UsageError: if the spec has no such lane.
    """
    values = dict.fromkeys(_lane_parts(spec, lane_id), 0.0)
    return _stuck(observations, spec, lane_id, from_decision, values)


def freeze(
    observations: npt.NDArray[np.float32],
    spec: ObservationSpec,
    lane_id: str,
    *,
    from_decision: int,
) -> npt.NDArray[np.float32]:
    """
    Return a copy in which a lane's detector repeats its reading of one decision for ever.

    :param observations: one episode's, shape ``(T + 1, spec.size)``.
    :raises UsageError: if the spec has no such lane.
    """
    parts = _lane_parts(spec, lane_id)
    values = {part: float(observations[from_decision, n]) for part, n in parts.items()}
    return _stuck(observations, spec, lane_id, from_decision, values)


def _lane_parts(spec: ObservationSpec, lane_id: str) -> dict[str, int]:
    lanes = [lane.lane_id for lane in spec.lanes]
    if lane_id not in lanes:
        raise UsageError(f"lane '{lane_id}' is not observed; choose one of {', '.join(lanes)}")
    return observed_parts(spec, lane_id, LANE_PARTS)


def _stuck(
    observations: npt.NDArray[np.float32],
    spec: ObservationSpec,
    lane_id: str,
    from_decision: int,
    values: dict[str, float],
) -> npt.NDArray[np.float32]:
    copy = observations.copy()
    for part, n in _lane_parts(spec, lane_id).items():
        copy[from_decision:, n] = values[part]
    return copy
