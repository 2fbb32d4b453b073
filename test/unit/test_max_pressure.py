"""Max-pressure control on a crossing of two one-way roads."""

from __future__ import annotations

from known import two_way_plan
import numpy as np
import pytest

from saferl_ros.control.controller import Moment
from saferl_ros.control.max_pressure import MaxPressure, MaxPressureConfig
from saferl_ros.observation import Approach, LaneDetector, make_spec, ObservationSpec, SignalView


def choice(
    standing: dict[str, float],
    *,
    moving: dict[str, float] | None = None,
    elapsed_s: float = 30.0,
    spec: ObservationSpec | None = None,
    **config: float,
) -> int:
    """Return what it chooses while stage 0 shows; vehicles are given by lane."""

    def lane_veh(lane: str, halting_only: bool) -> float:
        counted = standing.get(lane, 0.0)
        return counted if halting_only else counted + (moving or {}).get(lane, 0.0)

    signal = SignalView(
        stage=0,
        green_elapsed_s=elapsed_s,
        since_served_s=(0.0, 60.0),
        legal=(True, True),
        is_min_green_over=True,
    )
    control = MaxPressure(two_way_plan(), MaxPressureConfig.model_validate(config), spec)
    return control.decide(
        Moment(signal=signal, observe=lambda: np.zeros(1), lane_veh=lane_veh)
    ).stage


def test_the_fuller_approach_is_served():
    assert choice({'in0_0': 3, 'in1_0': 2}) == 0
    assert choice({'in0_0': 2, 'in1_0': 3}) == 1


def test_vehicles_that_block_the_exit_count_against_a_stage():
    assert choice({'in0_0': 2, 'in1_0': 5, 'out1_0': 4}) == 0


@pytest.mark.parametrize(('margin_veh', 'expected'), [(0.0, 1), (2.0, 1), (3.0, 0)])
def test_another_stage_needs_more_than_the_margin(margin_veh, expected):
    assert choice({'in0_0': 1, 'in1_0': 4}, margin_veh=margin_veh) == expected


def test_a_stage_is_held_its_time():
    queue = {'in1_0': 9.0}
    assert choice(queue, elapsed_s=10.0, min_hold_s=15.0) == 0
    assert choice(queue, elapsed_s=15.0, min_hold_s=15.0) == 1


def test_moving_vehicles_count_unless_told_otherwise():
    assert choice({'in0_0': 1}, moving={'in1_0': 2}) == 1
    assert choice({'in0_0': 1}, moving={'in1_0': 2}, halting_only=True) == 0


def test_a_queue_behind_a_short_approach_is_seen_if_asked():
    # the road of 'in1' is split: 9 vehicles wait on 'before1', 1 fits before the stop line; the
    # spans of 'in0' lie on its own lane, which is counted already
    spec = make_spec(
        'detector',
        n_stages=2,
        max_green_s=60.0,
        lanes=(
            LaneDetector(lane_id='in0_0', length_m=100.0, lane_length_m=200.0),
            LaneDetector(
                lane_id='in1_0',
                length_m=7.0,
                lane_length_m=7.0,
                upstream=((':split_0_0', 0.0, 12.0), ('before1_0', 190.0, 200.0)),
            ),
        ),
        approaches=(
            Approach(edge_id='in0', spans=(('in0_0', 0.0, 150.0),)),
            Approach(edge_id='in1', spans=(('before1_0', 0.0, 190.0),)),
        ),
    )
    queue = {'in0_0': 3.0, 'in1_0': 1.0, 'before1_0': 9.0}
    assert choice(queue, spec=spec) == 0
    assert choice(queue, spec=spec, sees_upstream=True) == 1
    assert choice({'in0_0': 3.0, 'in1_0': 2.0}, spec=spec, sees_upstream=True) == 0
    behind = {'in0_0': 8.0, 'in1_0': 1.0, 'before1_0': 5.0}  # counted once, on both detectors
    assert choice(behind, spec=spec, sees_upstream=True) == 0
    inside = {'in0_0': 3.0, 'in1_0': 1.0, ':split_0_0': 3.0}
    assert choice(inside, spec=spec, sees_upstream=True) == 1
