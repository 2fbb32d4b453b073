"""The out-of-distribution guard, worked out by hand: score, threshold, hysteresis, bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
import json
import math
from typing import Any

import numpy as np
import pytest
from small import crossing_spec, make_episode
from strategies import Hostile

from saferl_ros.dataset.guard_fit import (
    conformal_threshold,
    fit_guard,
    guard_obstacle,
    guard_scores,
)
from saferl_ros.dataset.guard_trial import (
    false_alarm_interval,
    freeze,
    replay,
    stick_off,
    stick_on,
)
from saferl_ros.dataset.schema import Episode
from saferl_ros.errors import BundleError, DatasetError, UsageError
from saferl_ros.shield.guard import calibration_rank, Guard, GuardedDetector, GuardModel

DETECTOR = GuardedDetector(
    name='a',
    readings=(1,),
    vehicles=(1,),
    weights=((1.0, -0.5),),  # half a vehicle of a is expected for each one of b
    usual_stillness=10.0,
)
MODEL = GuardModel(
    n_features=3,  # the signal, and a queue before it on two lanes
    detectors=(
        DETECTOR,
        replace(DETECTOR, name='b', readings=(2,), vehicles=(2,), weights=((-0.5, 1.0),)),
    ),
    mean=(2.0, 2.0),
    usual_residual=3.0,
    threshold=1.0,
    false_alarm_rate=0.05,
    n_calibration=19,
    spec_fingerprint='0123',
)
ODD = [0.0, 2.0, -40.0]


def usual(n: int) -> list[float]:
    """Both lanes change at every decision."""
    return [0.0, 2.0 + n % 2, 2.0 - n % 2]


def guard(**settings: Any) -> Guard:
    return Guard(MODEL, **{'enter': (2, 3), 'leave': 4, 'min_dwell_s': 30.0, **settings})


def alarms_of(pattern: str, watch: Guard, *, step_s: float = 5.0) -> str:
    """Feed one observation per letter (x: odd, .: usual); return A for alarm, - for none."""
    found = ''
    for n, letter in enumerate(pattern):
        observation = ODD if letter == 'x' else usual(n)
        found += 'A' if watch.update(observation, n * step_s) else '-'
    return found


# ---- the score ----


@pytest.mark.parametrize(
    ('observation', 'score'),
    [
        ([9.0, 2.0, 2.0], 0.0),  # the means; the signal does not matter
        ([0.0, 4.0, 3.0], 0.5),  # a: |2 - 0.5 * 1| = 1.5, b: |1 - 0.5 * 2| = 0, of 3
        ([0.0, 8.0, 5.0], 1.5),  # a: |6 - 0.5 * 3| = 4.5
        ([0.0, 2.0, -4.0], 2.0),  # b: |-6|
    ],
)
def test_the_score_is_the_largest_residual_over_the_usual_one(observation, score):
    assert MODEL.score(observation) == pytest.approx(score)
    assert MODEL.score(np.array(observation, dtype=np.float32)) == pytest.approx(score)


def test_a_still_detector_scores_by_what_the_others_report_meanwhile():
    watch = guard()
    found = []
    for queue_on_a in (2.0, 3.0, 2.0, 3.0, 2.0):
        watch.update([0.0, queue_on_a, 2.0], 0.0)  # b is frozen
        found.append((watch.last_score, watch.suspect))
    # a reported 3, 5, 8 and 10 vehicles since b changed last, 10 are usual; the first time, a's
    # own residual of 1 in 3 is more
    assert [name for _, name in found[1:]] == ['a', 'b', 'b', 'b']
    assert [score for score, _ in found[1:]] == pytest.approx([1 / 3, 0.5, 0.8, 1.0])


def test_a_detector_that_changes_is_trusted_again():
    watch = guard()
    for n in range(20):
        watch.update([0.0, 2.0 + n % 2, 2.0], 0.0)
    assert watch.last_score > 1.0
    watch.update([0.0, 2.0, 2.1], 0.0)
    assert watch.last_score < 1.0


@pytest.mark.parametrize(
    'observation',
    [
        *(None, 'abc', b'abc', 3, 1.5, {}, {0: 1.0, 1: 1.0, 2: 1.0}, object, Hostile()),
        *([], [1.0, 2.0], [1.0] * 4, [[1.0], [2.0], [3.0]], np.ones((1, 3)), np.float32(3)),
        *([1.0, math.nan, 1.0], [1.0, 1.0, math.inf], [1.0, -math.inf, 1.0]),
        *(['1', '2', '3'], [1.0, None, 1.0], [1.0, 1j, 1.0], [1, 10**400, 1]),
        *(np.array(['1', '2', '3']), np.array([1.0, np.nan, 1.0], dtype=np.float32)),
        [1.0, Hostile(), 1.0],
    ],
    ids=repr,
)
def test_anything_malformed_scores_infinity_and_alarms_at_once(observation):
    watch = guard()
    assert MODEL.score(observation) == math.inf
    assert watch.update(observation, 0.0)
    assert (watch.last_score, watch.suspect, watch.n_over) == (math.inf, '', 1)


def test_numbers_so_large_that_they_overflow_are_odd_but_no_error():
    watch = guard()
    for _ in range(5):
        watch.update([0.0, 1.7e308, -1.7e308], 0.0)
        assert watch.last_score == math.inf
    assert watch.is_alarmed


# ---- hysteresis and dwell ----


def test_it_enters_when_k_of_the_last_n_are_odd_and_leaves_after_a_quiet_run():
    assert alarms_of('x..x..x.x.......', guard(min_dwell_s=0)) == '--------AAAA----'


def test_one_odd_observation_starts_the_quiet_run_anew():
    assert alarms_of('xx...x....', guard(min_dwell_s=0)) == '-AAAAAAAA-'


def test_it_stays_for_the_minimum_dwell_however_quiet_it_is():
    # alarmed at 5 s, so not before 35 s
    assert alarms_of('xx........', guard()) == '-AAAAAA---'


def test_a_clock_that_goes_backwards_starts_the_dwell_anew():
    watch = guard()
    alarms_of('xx...', watch)  # alarmed at 5 s, now 20 s
    found = [watch.update(usual(n), now_s) for n, now_s in enumerate([25, 10, 35, 39, 40], 5)]
    assert found == [True, True, True, True, False]


@pytest.mark.parametrize('now_s', [math.nan, math.inf, 'noon', None, Hostile(), 10**400])
def test_a_broken_clock_never_ends_an_alarm(now_s):
    watch = guard()
    alarms_of('xx', watch)
    assert all(watch.update(usual(n), now_s) for n in range(50))
    assert not watch.update(usual(50), 60.0)


def test_an_alarm_under_a_broken_clock_dwells_from_the_first_good_time():
    watch = guard()
    for n in range(10):
        watch.update(ODD if n < 2 else usual(n), math.nan)
    assert watch.update(usual(10), 100.0)
    assert watch.update(usual(11), 129.0)
    assert not watch.update(usual(12), 130.0)


def test_it_counts_what_it_saw():
    watch = guard()
    assert (watch.is_alarmed, watch.n_updates, watch.n_over) == (False, 0, 0)
    alarms_of('.x.xx', watch)
    assert (watch.is_alarmed, watch.n_updates, watch.n_over) == (True, 5, 3)


@pytest.mark.parametrize(
    'settings',
    [
        *({'enter': (0, 3)}, {'enter': (4, 3)}, {'leave': 2}),
        *({'min_dwell_s': -1.0}, {'min_dwell_s': math.nan}, {'min_dwell_s': math.inf}),
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(UsageError):
        guard(**settings)


# ---- JSON ----


def test_a_model_survives_json():
    assert GuardModel.from_json(json.loads(json.dumps(MODEL.to_json()))) == MODEL


def without_threshold(data: dict[str, Any]) -> None:
    del data['threshold']


def first_detector(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda data: data['detectors'][0].update(changes)


def changed(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda data: data.update(changes)


@pytest.mark.parametrize(
    ('damage', 'reason'),
    [
        (without_threshold, 'threshold'),
        (changed(colour='red'), 'colour'),
        (changed(version=2), 'version 2'),
        (changed(spec_fingerprint=''), 'fingerprint'),
        (changed(mean=[2.0]), 'size'),
        (changed(mean=[2.0, math.nan]), 'finite'),
        (changed(mean='ab'), 'finite'),
        (changed(mean=None), 'not iterable'),
        (changed(threshold=0.0), 'threshold'),
        (changed(threshold=True), 'threshold'),
        (changed(usual_residual=-1.0), 'usual_residual'),
        (changed(false_alarm_rate=1.0), 'between 0 and 1'),
        (changed(n_calibration=18), 'cannot support'),
        (changed(threshold=10**400), 'too large'),
        (changed(n_calibration=10**400), 'too large'),
        (changed(n_features=2), 'below 2'),
        (changed(n_features=3.0), 'whole'),
        (changed(detectors=[]), 'must be a detector'),
        (changed(detectors=[1, 2]), 'guard'),
        (first_detector(readings=[2]), 'distinct'),
        (first_detector(readings=[]), 'reading'),
        (first_detector(readings=[-1]), 'whole'),
        (first_detector(vehicles=[2]), 'does not read'),
        (first_detector(vehicles=[[1]]), 'whole'),
        (first_detector(weights=[[1.0]]), 'size'),
        (first_detector(weights=[[1.0, '0']]), 'finite'),
        (first_detector(usual_stillness=0.0), "'a'"),
        (first_detector(length_m=3.0), 'length_m'),
    ],
)
def test_an_inconsistent_model_is_refused(damage, reason):
    data = json.loads(json.dumps(MODEL.to_json()))
    damage(data)
    with pytest.raises(BundleError, match=reason):
        GuardModel.from_json(data)


@pytest.mark.parametrize('data', [None, [], 'x', 3, {}])
def test_what_is_no_model_at_all_is_refused(data):
    with pytest.raises(BundleError):
        GuardModel.from_json(data)


# ---- calibration ----


def test_the_conformal_threshold_by_hand():
    scores = np.arange(1.0, 20.0)[::-1]  # 19 scores: ceil(20 * 0.9) = 18
    assert calibration_rank(19, 0.1) == 18
    assert conformal_threshold(scores, 0.1) == 18.0
    assert calibration_rank(99, 0.01) == 99  # ceil(100 * 0.99)
    assert calibration_rank(98, 0.01) == 99  # one score too few


def busy_episode(seed: int, n_decisions: int = 400) -> Episode:
    """Two lanes of one road fill together, the others are noise; everything changes all along."""
    rng = np.random.default_rng(seed)
    spec = crossing_spec()
    index = {feature.name: n for n, feature in enumerate(spec.features())}
    observations = np.zeros((n_decisions + 1, spec.size), dtype=np.float32)
    queue = rng.uniform(0, 0.8, n_decisions + 1)
    for lane in ('n_0', 's_0', 's_1', 'w_0'):
        own = queue if lane.startswith('s') else rng.uniform(0, 0.8, n_decisions + 1)
        noisy = own + rng.normal(0, 0.02, n_decisions + 1)
        observations[:, index[f'{lane}_queue']] = np.clip(noisy, 0, 2)
        observations[:, index[f'{lane}_occupancy']] = np.clip(noisy * 0.8, 0, 1)
        observations[:, index[f'{lane}_moving']] = rng.uniform(0, 0.3, n_decisions + 1)
    observations[:, index['n_advance_moving']] = rng.uniform(0, 0.5, n_decisions + 1)
    return replace(make_episode([0] * (n_decisions + 1)), observations=observations)


@pytest.fixture(scope='module')
def fitted() -> GuardModel:
    return fit_guard([busy_episode(seed) for seed in range(20)], crossing_spec())


def test_the_rate_on_other_episodes_is_the_stated_one(fitted):
    interval = false_alarm_interval(fitted, [busy_episode(seed) for seed in range(100, 130)])
    assert 0.005 < interval.mean < 0.02
    assert interval.ci_low < interval.mean < interval.ci_high
    assert fitted.n_calibration == 14 * 401  # a third of twenty episodes fits


def test_fitting_depends_on_the_seed_alone():
    episodes = [busy_episode(seed, 60) for seed in range(8)]
    one, same, other = (fit_guard(episodes, crossing_spec(), seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_fit_and_guard_compute_the_same_scores(fitted):
    episode = busy_episode(7)
    broken = stick_off(episode.observations, crossing_spec(), 'w_0', from_decision=200)
    watch = Guard(fitted)
    found = []
    for observation in broken:
        watch.update(observation, 0.0)
        found.append(watch.last_score)
    np.testing.assert_allclose(found, guard_scores(fitted, broken), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('inject', [stick_on, stick_off, freeze])
def test_a_faulty_lane_is_noticed_and_named(fitted, inject):
    episode = busy_episode(8)
    broken = inject(episode.observations, crossing_spec(), 's_1', from_decision=100)
    watch = Guard(fitted)
    alarms = replay(watch, broken, episode.elapsed_s)
    assert not alarms[:100].any()
    assert alarms[160:].all()
    assert watch.suspect == 's_1'


def test_faults_change_one_lane_from_the_given_decision_on():
    spec = crossing_spec()
    names = [feature.name for feature in spec.features()]
    before = busy_episode(9, 20).observations

    def reads(after: np.ndarray) -> dict[str, float]:
        np.testing.assert_array_equal(after[:5], before[:5])
        touched = {names[n] for n in np.flatnonzero((after != before).any(axis=0))}
        assert touched <= {'s_0_queue', 's_0_moving', 's_0_occupancy'}
        assert len(np.unique(after[5:, names.index('s_0_queue')])) == 1
        return {part: float(after[9, names.index(f's_0_{part}')]) for part in parts}

    parts = ('queue', 'moving', 'occupancy')
    high = 2 * 7.5 / 7.5  # 75 m hold ten vehicles, one unit; the feature ends at twice of it
    for after, expected in (
        (stick_on(before, spec, 's_0', from_decision=5), (high, 0, 1)),
        (stick_on(before, spec, 's_0', from_decision=5, is_moving=True), (0, high, 1)),
        (
            stick_on(before, spec, 's_0', from_decision=5, fill_ratio=0.5, occupancy_ratio=0.75),
            (high / 2, 0, 0.75),
        ),
        (stick_off(before, spec, 's_0', from_decision=5), (0, 0, 0)),
        (
            freeze(before, spec, 's_0', from_decision=5),
            tuple(before[5, names.index(f's_0_{part}')] for part in parts),
        ),
    ):
        assert reads(after) == pytest.approx(dict(zip(parts, expected, strict=True)))
    with pytest.raises(UsageError, match='n_0, s_0, s_1, w_0'):
        stick_off(before, spec, 'x_0', from_decision=5)


@pytest.mark.parametrize('kind', ['detector', 'ideal', 'sumo_rl'])
def test_every_kind_of_observation_has_a_guard(kind):
    spec = crossing_spec(kind)
    rng = np.random.default_rng(0)
    episodes = []
    for _ in range(4):
        observations = rng.uniform(0, 1, (81, spec.size)).astype(np.float32)
        episodes.append(replace(make_episode([0] * 81), observations=observations))
    model = fit_guard(episodes, spec)
    assert model.spec_fingerprint == spec.fingerprint()
    assert [d.name for d in model.detectors][:4] == ['n_0', 's_0', 's_1', 'w_0']
    stuck = stick_on(episodes[0].observations, spec, 's_1', from_decision=0)
    assert replay(Guard(model), stuck, episodes[0].elapsed_s).any()


def test_a_junction_without_traffic_has_a_guard_that_notices_traffic():
    spec = crossing_spec()
    model = fit_guard([make_episode([0] * 80) for _ in range(4)], spec)
    empty = make_episode([0] * 80)
    assert not replay(Guard(model), empty.observations, empty.elapsed_s).any()
    stuck = stick_on(empty.observations, spec, 's_1', from_decision=40)
    assert replay(Guard(model), stuck, empty.elapsed_s)[45:].all()


def test_too_small_a_record_says_what_it_lacks():
    spec = crossing_spec()
    assert 'at least 2' in guard_obstacle([busy_episode(0)], spec)
    short = [busy_episode(0, 300), busy_episode(1, 50)]
    assert '51 decisions' in guard_obstacle(short, spec)
    assert guard_obstacle(short, spec, false_alarm_rate=0.05) == ''
    with pytest.raises(DatasetError, match='needs 99'):
        fit_guard(short, spec)
    with pytest.raises(UsageError, match='between 0 and 1'):
        fit_guard(short, spec, false_alarm_rate=0.0)
