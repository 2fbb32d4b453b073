"""
The same features for every stage of every junction, so that one network can serve them all.

A junction's feature vector has a place for each lane, and no two junctions have the same lanes.
The encoding here sums and averages over the lanes that a stage serves: a row per stage, whatever
the geometry. It is linear, so it becomes part of the exported network, and a bundle of a shared
policy is a bundle like any other. Permuting the stages of a junction permutes the rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from saferl_ros.errors import UsageError
from saferl_ros.naming import edge_of
from saferl_ros.observation.spec import COUNT_SCALE_VEH, ObservationSpec
from saferl_ros.signals import SignalPlan
from saferl_ros.signals.plan import GREEN_LAMPS

Floats = npt.NDArray[np.float32]

STAGE_FEATURES = (
    'exists',  # 1; rows that fill up a table are all zero
    'shows',
    'is_legal',
    'green_elapsed',  # of the stage that shows, the same in every row
    'since_served',
    'change_time',  # clearance from the stage that shows to this one [10 s]
    'protected_queue',  # on lanes with a protected green in this stage [10 veh]
    'permissive_queue',  # on lanes that only have a permissive one
    'unserved_queue',  # on all other lanes
    'moving',  # on served lanes
    'mean_queue_ratio',  # of what fits before the stop line, over served lanes
    'mean_occupancy',
    'advance_queue',  # further up the served approaches
    'advance_moving',
    'upstream_queue',  # on the roads that lead there; these four are zero unless 'neighbours'
    'upstream_moving',
    'mean_exit_queue_ratio',  # of what fits on the first metres of the served exits
    'mean_exit_moving_ratio',
    'n_lanes',  # served [10 lanes]
)
EXISTS, SHOWS, IS_LEGAL = range(3)
N_FLAGS = 3  # the first features are flags, zero or one
N_STAGE_FEATURES = len(STAGE_FEATURES)
CHANGE_SCALE_S = 10.0
LANE_SCALE = 10.0


class StageEncoding:
    """
    Turns feature vectors of one junction into rows per stage.

    :param plan: which lanes a stage serves, and the clearances.
    :param spec: which feature stands where.
    :raises UsageError: if the observation is sumo-rl's, which lacks what is needed.
    """

    def __init__(self, plan: SignalPlan, spec: ObservationSpec) -> None:
        if spec.kind == 'sumo_rl':
            raise UsageError(
                "a shared policy needs the observation 'detector', 'neighbours' or 'ideal', "
                "not 'sumo_rl'"
            )
        column = {feature.name: n for n, feature in enumerate(spec.features())}
        n_stages = plan.n_stages
        matrix = np.zeros((n_stages, N_STAGE_FEATURES, spec.size), dtype=np.float32)
        offset = np.zeros((n_stages, N_STAGE_FEATURES), dtype=np.float32)
        at = {name: n for n, name in enumerate(STAGE_FEATURES)}
        for stage in range(n_stages):
            row = matrix[stage]
            protected, permissive = _served_lanes(plan, spec, stage)
            served = [*protected, *permissive]
            offset[stage, at['exists']] = 1.0
            offset[stage, at['n_lanes']] = len(served) / LANE_SCALE
            row[at['shows'], column[f'stage_{stage}_shows']] = 1.0
            row[at['is_legal'], column[f'stage_{stage}_is_legal']] = 1.0
            row[at['green_elapsed'], column['green_elapsed']] = 1.0
            row[at['since_served'], column[f'stage_{stage}_since_served']] = 1.0
            for other in range(n_stages):
                change_s = plan.intergreen_s(other, stage) if other != stage else 0.0
                row[at['change_time'], column[f'stage_{other}_shows']] = change_s / CHANGE_SCALE_S
            for n, lane in enumerate(spec.lanes):
                queue, moving = column[f'{lane.lane_id}_queue'], column[f'{lane.lane_id}_moving']
                name = 'protected' if n in protected else 'permissive'
                row[at[f'{name}_queue' if n in served else 'unserved_queue'], queue] = 1.0
                if n in served:
                    row[at['moving'], moving] = 1.0
                    share = 1.0 / len(served)
                    full = lane.capacity_veh / COUNT_SCALE_VEH
                    row[at['mean_occupancy'], column[f'{lane.lane_id}_occupancy']] = share
                    row[at['mean_queue_ratio'], queue] = share / full
            edges = {edge_of(spec.lanes[n].lane_id) for n in served}
            exits = _served_exits(plan, stage)
            for approach in spec.approaches:
                full = approach.capacity_veh / COUNT_SCALE_VEH
                for what in ('queue', 'moving'):
                    seen = column[f'{approach.edge_id}_advance_{what}']
                    if approach.edge_id in edges:
                        row[at[f'advance_{what}'], seen] = 1.0
                    elif approach.edge_id.removesuffix('_upstream') in edges:
                        row[at[f'upstream_{what}'], seen] = 1.0
                    elif approach.edge_id in exits:
                        row[at[f'mean_exit_{what}_ratio'], seen] = 1.0 / full / len(exits)
        self.n_stages = n_stages
        self.matrix = matrix.reshape(n_stages * N_STAGE_FEATURES, spec.size)
        self.offset = offset.reshape(-1)

    def __call__(self, observations: Floats) -> Floats:
        """
        Return the rows of some observations.

        :param observations: shape ``(n, spec.size)``.
        :returns: shape ``(n, n_stages * N_STAGE_FEATURES)``, row after row.
        """
        return np.asarray(observations @ self.matrix.T + self.offset, dtype=np.float32)


def _served_lanes(
    plan: SignalPlan, spec: ObservationSpec, stage: int
) -> tuple[list[int], list[int]]:
    """Return the lanes with a protected green, and those with a permissive one alone."""
    lamps: dict[str, set[str]] = {}
    for link, lamp in zip(plan.links, plan.stages[stage].lamps, strict=True):
        if lamp in GREEN_LAMPS:
            for lane, _ in link.ways:
                lamps.setdefault(lane, set()).add(lamp)
    protected = [n for n, lane in enumerate(spec.lanes) if 'G' in lamps.get(lane.lane_id, ())]
    permissive = [
        n for n, lane in enumerate(spec.lanes) if lamps.get(lane.lane_id, set()) == {'g'}
    ]
    return protected, permissive


def _served_exits(plan: SignalPlan, stage: int) -> set[str]:
    """Return the names, as the spec has them, of the roads that a stage lets vehicles into."""
    return {
        f'{edge_of(out)}_exit'
        for link, lamp in zip(plan.links, plan.stages[stage].lamps, strict=True)
        if lamp in GREEN_LAMPS
        for _, out in link.ways
    }
