"""How far a vehicle must drive over a junction until it is out of another's way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saferl_ros.signals.plan import SignalPlan
from saferl_ros.sumo.network import Lane, Network

Points = npt.NDArray[np.float64]

SAMPLE_M = 0.5  # distance between the points of a way that are looked at
HALF_WIDTH_M = 1.25  # of the widest vehicle allowed on roads, 2.5 m (Directive 96/53/EC)


def conflict_ways_m(network: Network, plan: SignalPlan) -> list[list[float]]:
    """
    Return, for each pair of foes, the way of the first until it has left the second's.

    From the stop line, along its own lanes on the junction, until even a wide vehicle is beyond
    the far edge of the other's lane or crosswalk: the ``W`` of the ITE's red clearance, which is
    measured along the vehicle's path. Where both leave by the same lane, to where their paths
    join: from there on one follows the other. A pair whose paths do not come near each other on
    the drawn lanes counts with the whole way.

    :param plan: links and foes.
    :returns: ``ways_m[i][j]`` [m], shape ``(n_links, n_links)``; zero where they are no foes.
    """
    ways: list[list[_Way]] = [[] for _ in plan.links]
    for connection in network.signalised(plan.junction_id):
        lanes = network.way_over(connection)
        ways[connection.link_index or 0].append(
            _Way(to_lane=connection.to_lane, lanes=lanes, path=_points(lanes))
        )
    return [
        [
            max(
                (_conflict_way_m(a, b, plan.links[i].crossing_m) for a in ways[i] for b in other),
                default=plan.links[i].crossing_m,
            )
            if plan.foes[i][j]
            else 0.0
            for j, other in enumerate(ways)
        ]
        for i in range(plan.n_links)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    to_lane: str
    lanes: list[Lane]  # on the junction
    path: Points


def _points(lanes: list[Lane]) -> Points:
    """Return the centre line of consecutive lanes, shape ``(n, 2)``."""
    return np.array([point for lane in lanes for point in lane.shape], dtype=np.float64)


def _conflict_way_m(way: _Way, other: _Way, whole_m: float) -> float:
    if not way.lanes or not other.lanes:
        return whole_m
    at_m, samples = _sampled(way.path)
    is_near = _distances_m(samples, other.path) < other.lanes[0].width_m / 2 + HALF_WIDTH_M
    if not is_near.any():
        return whole_m
    last = int(np.flatnonzero(is_near)[-1])
    if way.to_lane == other.to_lane and last == len(is_near) - 1:
        apart = np.flatnonzero(~is_near)
        last = int(apart[-1]) if len(apart) else 0  # the paths join right after it
    return min(whole_m, float(at_m[last]) + SAMPLE_M)


def _sampled(path: Points) -> tuple[Points, Points]:
    """Return points along a path and how far along it they lie [m]."""
    steps_m = np.hypot(*np.diff(path, axis=0).T)
    at_m = np.concatenate([[0.0], np.cumsum(steps_m)])
    wanted = np.append(np.arange(0.0, at_m[-1], SAMPLE_M), at_m[-1])
    return wanted, np.stack([np.interp(wanted, at_m, path[:, k]) for k in (0, 1)], axis=1)


def _distances_m(points: Points, path: Points) -> Points:
    """Return the distance of each point from a path [m], shape ``(n_points,)``."""
    start, along = path[:-1], np.diff(path, axis=0)
    length2 = np.maximum((along**2).sum(axis=1), 1e-9)
    offset = points[:, None, :] - start[None]
    share = np.clip((offset * along[None]).sum(axis=2) / length2, 0.0, 1.0)
    gaps = offset - share[..., None] * along[None]
    distances: Points = np.sqrt((gaps**2).sum(axis=2)).min(axis=1)
    return distances
