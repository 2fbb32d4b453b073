"""Readings become features, number for number as worked out by hand."""

from __future__ import annotations

from dataclasses import replace
import json

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
from small import crossing_spec

from saferl_ros.errors import BundleError, UsageError
from saferl_ros.observation import (
    DetectorReadings,
    FeatureVector,
    OBSERVATION_KINDS,
    ObservationSpec,
    SignalView,
)

SIGNAL = SignalView(
    stage=1,
    green_elapsed_s=15.0,
    since_served_s=(30.0, 0.0, 90.0),
    legal=(True, True, False),
    is_min_green_over=True,
)


def readings(**changes: list[float]) -> DetectorReadings:
    """Four lanes (n_0, s_0, s_1, w_0) and one approach (n)."""
    values = {
        'count_veh': [5.0, 0.0, 2.0, 8.0],
        'queue_veh': [3.0, 0.0, 2.0, 1.0],
        'occupancy_ratio': [0.5, 0.0, 0.2, 0.9],
        'waiting_s': [60.0, 0.0, 30.0, 3.0],
        'vehicle_length_m': [5.0, 0.0, 7.5, 5.0],
        'advance_count_veh': [6.0],
        'advance_queue_veh': [2.0],
        **changes,
    }
    return DetectorReadings(sim_time_s=0.0, **{k: np.array(v) for k, v in values.items()})


def named(kind: str, found: DetectorReadings, signal: SignalView = SIGNAL) -> dict[str, float]:
    spec = crossing_spec(kind)
    vector = FeatureVector(spec)(found, signal)
    assert vector.dtype == np.float32
    assert vector.shape == (spec.size,)
    return dict(zip([f.name for f in spec.features()], vector.tolist(), strict=True))


def test_the_detector_observation_by_hand():
    found = named('detector', readings())
    assert found == pytest.approx(
        {
            **{'stage_0_shows': 0, 'stage_1_shows': 1, 'stage_2_shows': 0},
            'green_elapsed': 0.25,  # of 60 s
            **{
                'stage_0_since_served': 0.5,
                'stage_1_since_served': 0,
                'stage_2_since_served': 1.5,
            },
            **{'stage_0_is_legal': 1, 'stage_1_is_legal': 1, 'stage_2_is_legal': 0},
            **{'n_0_queue': 0.3, 's_0_queue': 0, 's_1_queue': 0.2, 'w_0_queue': 0.1},
            **{'n_0_moving': 0.2, 's_0_moving': 0, 's_1_moving': 0, 'w_0_moving': 0.7},
            **{'n_0_occupancy': 0.5, 's_0_occupancy': 0},
            **{'s_1_occupancy': 0.2, 'w_0_occupancy': 0.9},
            **{'n_advance_queue': 0.2, 'n_advance_moving': 0.4},
        },
        abs=1e-6,
    )
    assert list(found) == [f.name for f in crossing_spec().features()]


def test_the_ideal_observation_knows_waiting_times_too():
    found = named('ideal', readings())
    assert found['n_0_waiting'] == pytest.approx(0.2)  # 60 s of 300 s
    assert found['w_0_waiting'] == pytest.approx(0.01)
    assert set(found) - set(named('detector', readings())) == {
        f'{lane}_waiting' for lane in ('n_0', 's_0', 's_1', 'w_0')
    }


def test_the_sumo_rl_observation_by_hand():
    found = named('sumo_rl', readings())
    room_veh = 200 / (2.5 + 5.0)  # gap and mean length of the vehicles on the lane
    assert found == pytest.approx(
        {
            **{'stage_0_shows': 0, 'stage_1_shows': 1, 'stage_2_shows': 0},
            'min_green_is_over': 1,
            **{'n_0_density': 5 / room_veh, 's_0_density': 0},
            **{'s_1_density': 2 / 20, 'w_0_density': 8 / room_veh},
            **{'n_0_queue': 3 / room_veh, 's_0_queue': 0},
            **{'s_1_queue': 2 / 20, 'w_0_queue': 1 / room_veh},
        },
        abs=1e-6,
    )


def test_values_beyond_their_range_are_cut_to_it():
    late = SignalView(
        stage=0,
        green_elapsed_s=1e6,
        since_served_s=(0.0, 1e6, 1e6),
        legal=(True,) * 3,
        is_min_green_over=False,
    )
    found = named('detector', readings(queue_veh=[1e6] * 4, count_veh=[0.0] * 4), late)
    assert found['green_elapsed'] == found['stage_1_since_served'] == 4.0
    assert found['n_0_queue'] == pytest.approx(2 * 10 / 10)  # twice the ten that fit on 75 m
    assert found['n_0_moving'] == 0.0


@given(
    kind=st.sampled_from(OBSERVATION_KINDS),
    stage=st.integers(0, 2),
    times=st.lists(st.floats(0, 1e5), min_size=4, max_size=4),
    legal=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    lanes=st.lists(st.floats(0, 1e3), min_size=20, max_size=20),
    advance=st.tuples(st.floats(0, 1e3), st.floats(0, 1e3)),
)
def test_every_feature_lies_within_its_range_whatever_is_read(
    kind, stage, times, legal, lanes, advance
):
    spec = crossing_spec(kind)
    count, queue, occupancy, waiting, length = (lanes[n : n + 4] for n in range(0, 20, 4))
    vector = FeatureVector(spec)(
        readings(
            count_veh=count,
            queue_veh=queue,
            occupancy_ratio=occupancy,
            waiting_s=waiting,
            vehicle_length_m=length,
            advance_count_veh=[advance[0]],
            advance_queue_veh=[advance[1]],
        ),
        SignalView(
            stage=stage,
            green_elapsed_s=times[0],
            since_served_s=tuple(times[1:]),
            legal=legal,
            is_min_green_over=legal[0],
        ),
    )
    assert (vector >= spec.low()).all()
    assert (vector <= spec.high()).all()


@pytest.mark.parametrize('kind', OBSERVATION_KINDS)
def test_a_spec_survives_json_and_kinds_have_fingerprints_of_their_own(kind):
    plain = crossing_spec(kind)
    short = replace(
        plain.lanes[0], length_m=0.5, lane_length_m=0.5, upstream=((':n_0_0', 0.0, 7.0),)
    )
    spec = replace(plain, lanes=(short, *plain.lanes[1:]))
    copy = ObservationSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert copy == spec
    assert copy.lanes[0].capacity_veh == 1.0
    assert copy.fingerprint() == spec.fingerprint()
    assert len({crossing_spec(k).fingerprint() for k in OBSERVATION_KINDS}) == len(
        OBSERVATION_KINDS
    )


@pytest.mark.parametrize('kind', OBSERVATION_KINDS)
def test_every_feature_has_a_name_of_its_own_a_unit_a_range_and_a_source(kind):
    features = crossing_spec(kind).features()
    assert len({feature.name for feature in features}) == len(features)
    assert all(f.unit and f.source and f.low < f.high for f in features)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'version': 1}, 'version 1; this release reads version 2'),
        ({'colour': 'red'}, 'not an observation spec'),
        ({'lanes': [{}]}, 'not an observation spec'),
        ({'approaches': [{'edge_id': 'n', 'spans': [[1]]}]}, 'not an observation spec'),
    ],
)
def test_json_that_is_no_spec_is_refused(changes, words):
    with pytest.raises(BundleError, match=words):
        ObservationSpec.from_json({**crossing_spec().to_json(), **changes})


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match='detector, neighbours, ideal, sumo_rl'):
        crossing_spec('magic')
