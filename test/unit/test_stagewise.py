"""What a row of a stage holds of the roads around its junction, by hand."""

from __future__ import annotations

from known import two_way_plan
import numpy as np
import pytest

from saferl_ros.observation import Approach, LaneDetector, make_spec, ObservationSpec
from saferl_ros.observation.stagewise import N_STAGE_FEATURES, STAGE_FEATURES, StageEncoding

AROUND = (
    'advance_queue', 'advance_moving', 'upstream_queue', 'upstream_moving',
    'mean_exit_queue_ratio', 'mean_exit_moving_ratio',
)  # fmt: skip


def spec_of(kind: str, *roads: str) -> ObservationSpec:
    return make_spec(
        kind,
        n_stages=2,
        max_green_s=60.0,
        lanes=tuple(
            LaneDetector(lane_id=f'in{n}_0', length_m=100.0, lane_length_m=200.0) for n in range(2)
        ),
        approaches=tuple(Approach(edge_id=road, spans=((road, 0.0, 150.0),)) for road in roads),
    )


def rows_of(spec: ObservationSpec, **seen: float) -> np.ndarray:
    """Return ``AROUND`` of both stages, where some features are not zero."""
    observation = np.zeros((1, spec.size), dtype=np.float32)
    names = [feature.name for feature in spec.features()]
    for name, value in seen.items():
        observation[0, names.index(name)] = value
    rows = StageEncoding(two_way_plan(), spec)(observation).reshape(2, N_STAGE_FEATURES)
    return rows[:, [STAGE_FEATURES.index(name) for name in AROUND]]


@pytest.mark.parametrize('stage', [0, 1])
def test_each_road_counts_for_the_stage_that_serves_it(stage):
    roads = [f'{name}{n}{end}' for n in range(2) for name, end in
             (('in', ''), ('in', '_upstream'), ('out', '_exit'))]  # fmt: skip
    rows = rows_of(
        spec_of('neighbours', *roads),
        **{
            f'in{stage}_advance_queue': 0.1,
            f'in{stage}_advance_moving': 0.2,
            f'in{stage}_upstream_advance_queue': 0.3,
            f'in{stage}_upstream_advance_moving': 0.4,
            f'out{stage}_exit_advance_queue': 0.5,  # 5 of the 20 that fit
            f'out{stage}_exit_advance_moving': 1.0,
        },
    )
    np.testing.assert_allclose(rows[stage], [0.1, 0.2, 0.3, 0.4, 0.25, 0.5], rtol=1e-6)
    assert not rows[1 - stage].any()


def test_where_nobody_looks_beyond_these_places_are_zero():
    rows = rows_of(spec_of('detector', 'in0', 'in1'), in0_advance_queue=0.7)
    np.testing.assert_allclose(rows[0], [0.7, 0, 0, 0, 0, 0], rtol=1e-6)
    assert not rows[1].any()
