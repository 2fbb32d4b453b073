"""Intervals, the gate, and the price of data, on numbers made by hand."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
import math

from known import elapsed_of, record
import numpy as np
import pytest
from scipy.special import ndtr, stdtrit

from saferl_ros.cli.gate import decide
from saferl_ros.dataset.coverage import quality, warnings
from saferl_ros.dataset.intervals import mean_interval, ratio_interval, tail_of
from saferl_ros.dataset.schema import Record
from saferl_ros.errors import DatasetError
from saferl_ros.evaluate.conditions import easier_conditions
from saferl_ros.evaluate.degradation import KINDS
from saferl_ros.evaluate.gate import GateConfig, judge_gate, looser_limits
from saferl_ros.evaluate.judge import EvaluateConfig


def test_equal_values_have_no_width():
    interval = mean_interval([3.0, 3.0, 3.0])
    assert (interval.mean, interval.ci_low, interval.ci_high) == (3.0, 3.0, 3.0)


def test_pairs_are_resampled_together():
    ratio = ratio_interval([1.0, 10.0, 100.0], [2.0, 20.0, 200.0])
    assert ratio.ci_low == pytest.approx(0.5)
    assert ratio.ci_high == pytest.approx(0.5)


def test_an_interval_holds_its_mean_and_narrows_with_more_values():
    few, many = mean_interval([1.0, 2.0, 3.0]), mean_interval([1.0, 2.0, 3.0] * 20)
    assert few.ci_low < few.mean < few.ci_high
    assert many.ci_high - many.ci_low < few.ci_high - few.ci_low


@pytest.mark.parametrize('n', [5, 8, 11, 30])  # the gate asks for five
def test_few_demands_make_intervals_as_wide_as_students(n):
    assert tail_of(n) == pytest.approx(
        ndtr(math.sqrt(n / (n - 1)) * stdtrit(n - 1, 0.025)), rel=0.15
    )
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(400, n))
    found = [mean_interval(sample.tolist(), seed=k) for k, sample in enumerate(samples)]
    missed = np.mean([not one.ci_low <= 0 <= one.ci_high for one in found])
    plain = [
        np.quantile(rng.choice(sample, size=(500, n)).mean(axis=1), [0.025, 0.975])
        for sample in samples
    ]
    assert missed < 0.09  # 0.05 by its name
    assert missed < np.mean([not low <= 0 <= high for low, high in plain])


HARMLESS = dict.fromkeys(('monitor_faults', 'starved', 'collisions', 'teleports'), 0.0)


def evaluation() -> dict:
    ratio = {'mean': 0.8, 'ci_low': 0.7, 'ci_high': 0.9}
    metrics = ('collisions', 'teleports', 'monitor_faults', 'starved', 'max_wait_s')
    clean = {name: {'per_seed': [0.0] * 5} for name in metrics}
    clean['conflicts'] = {'per_seed': [900.0, 1000.0, 1100.0, 1200.0, 1300.0]}
    over = {f'over_{name}': dict(ratio) for name in ('net_plan', 'own_plan')}
    return {
        'controllers': {'cql': clean, 'net_plan': deepcopy(clean)},
        'delay_ratios': {
            'cql': {n: dict(ratio) for n in ('net_plan', 'actuated', 'max_pressure')}
        },
        'values': {'cql': [{'fqe': -20.0, 'behaviour': -30.0}]},
        'degradation': [
            {
                'kind': kind,
                'level': 0.0,
                'controllers': {'cql': over | HARMLESS, 'net_plan': over | HARMLESS},
            }
            for kind in ('none', *KINDS)
        ],
        'config': EvaluateConfig().model_dump(mode='json'),
        'clearance': 'legal',
        'scenario': {'begin_s': 0.0, 'end_s': 3600.0, 'time_to_teleport_s': 300.0},
    }


def reasons(data: dict) -> dict[str, str]:
    return {check.name: check.reason for check in judge_gate(data, 'cql', GateConfig())}


def failed(data: dict) -> list[str]:
    return [check.name for check in judge_gate(data, 'cql', GateConfig()) if not check.passed]


def test_a_policy_within_every_limit_passes():
    assert failed(evaluation()) == []


@pytest.mark.parametrize('other', ['net_plan', 'actuated', 'max_pressure'])
def test_the_upper_end_of_the_delay_ratio_decides(other):
    data = evaluation()
    data['delay_ratios']['cql'][other]['ci_high'] = 1.01
    assert failed(data) == [f'delay over {other}']


@pytest.mark.parametrize(
    ('metric', 'value', 'name'),
    [
        ('collisions', 1.0, 'collisions'),
        ('teleports', 1.0, 'teleports'),
        ('monitor_faults', 1.0, 'monitor faults'),
        ('starved', 1.0, 'starved'),
        ('max_wait_s', 301.0, 'longest wait'),
    ],
)
def test_one_unsafe_event_too_many_fails(metric, value, name):
    data = evaluation()
    data['controllers']['cql'][metric]['per_seed'][1] = value
    assert failed(data) == [name]


def test_whom_sumo_took_out_of_a_jam_has_waited_that_long():
    data = evaluation()
    for name in ('cql', 'net_plan'):
        data['controllers'][name]['teleports']['per_seed'][0] = 2.0
    text = 'a vehicle stood for 300 s or more: 2 were then taken out of their jams'
    assert reasons(data)['longest wait'].startswith(text)
    strict = judge_gate(data, 'cql', GateConfig(max_wait_s=240))
    assert [check.name for check in strict if not check.passed] == ['longest wait']


@pytest.mark.parametrize(
    ('metric', 'name'),
    [
        ('monitor_faults', 'monitor faults when disturbed'),
        ('starved', 'starved when disturbed'),
        ('collisions', 'collisions when disturbed'),
    ],
)
def test_what_is_unsafe_is_so_under_disturbances_too(metric, name):
    data = evaluation()
    data['degradation'][-1]['controllers']['cql'] |= {metric: 1.0}
    assert failed(data) == [name]
    data['degradation'][-1]['controllers']['net_plan'] |= {metric: 1.0}
    assert failed(data) == ([] if metric == 'collisions' else [name])


def test_the_gate_says_where_vehicles_collided():
    data = evaluation()
    data['controllers']['cql']['collisions']['per_seed'][1] = 1.0
    data['collisions'] = {
        'cql': [
            {
                'demand': 1,
                'time_s': 28720.0,
                'lane_id': 'west_1',
                'collider_id': 'a',
                'victim_id': 'b',
            }
        ]
    }
    named = "; on demand 1 at 7:58:40 'a' ran into 'b' on lane 'west_1'"
    assert reasons(data)['collisions'].endswith(named)
    data['collisions']['cql'] *= 9
    assert reasons(data)['collisions'].endswith(3 * named + '; and 6 more')


@pytest.mark.parametrize(
    ('over_net_plan', 'over_own_plan', 'failures'),
    [
        (0.99, 0.8, []),
        (1.01, 0.8, ['rain']),  # in traffic and weather what is there today is the measure
        (1.3, 1.04, ['rain']),  # with broken detectors it is the fallback, which takes over
        (0.99, 1.06, ['blind detectors']),
    ],
)
def test_too_slow_under_a_disturbance_fails(over_net_plan, over_own_plan, failures):
    data = evaluation()
    over = {
        f'over_{name}': {'mean': ratio, 'ci_low': 0.5, 'ci_high': 2.0}
        for name, ratio in (('net_plan', over_net_plan), ('own_plan', over_own_plan))
    }
    for row in data['degradation']:
        if row['kind'] in ('blind detectors', 'rain'):
            row['controllers'] = {'cql': over | HARMLESS}
    assert failed(data) == failures


def test_more_near_misses_than_today_fail():
    data = evaluation()
    data['controllers']['cql']['conflicts']['per_seed'][2] += 50.0
    assert failed(data) == ['near misses']
    config = GateConfig(max_near_misses_over_net_plan=1.1)
    assert all(check.passed for check in judge_gate(data, 'cql', config))
    assert looser_limits(config) == ['max_near_misses_over_net_plan 1.1 instead of 1']


def test_too_few_demands_decide_nothing():
    data = evaluation()
    for controller in data['controllers'].values():
        for metric in controller.values():
            metric['per_seed'] = metric['per_seed'][:2]
    assert failed(data) == ['demands']
    assert looser_limits(GateConfig(min_demands=2)) == ['min_demands 2 instead of 5']


@pytest.mark.parametrize('kind', KINDS)
def test_no_kind_of_disturbance_can_be_left_out(kind):
    data = evaluation()
    data['degradation'] = [row for row in data['degradation'] if row['kind'] != kind]
    assert failed(data) == ['disturbances']
    assert f'not judged under {kind};' in reasons(data)['disturbances']


@pytest.mark.parametrize('what', ['nothing', 'nobody', 'no disturbance'])
def test_whom_nobody_judged_under_disturbances_fails(what):
    data = evaluation()
    rows = data['degradation']
    data['degradation'] = {'nothing': [], 'nobody': rows, 'no disturbance': rows[:1]}[what]
    if what == 'nobody':  # a further training seed, say
        for row in rows:
            row['controllers'] = {'bc': row['controllers']['cql']}
    assert failed(data) == ['disturbances']
    advice = "this one's bundle alone" if what == 'nobody' else 'evaluate.degradation.demands'
    assert advice in reasons(data)['disturbances']
    config = GateConfig(needs_disturbances=False)
    assert all(check.passed for check in judge_gate(data, 'cql', config))


def test_limits_that_let_through_more_than_the_default_ones_are_named():
    assert looser_limits(GateConfig()) == []
    assert looser_limits(GateConfig(max_delay_over_actuated=0.9, max_wait_s=200)) == []
    assert looser_limits(GateConfig(max_delay_over_actuated=2, needs_disturbances=False)) == [
        'max_delay_over_actuated 2 instead of 1',
        'needs_disturbances false',
    ]


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({}, []),
        ({'tune': {'finalists': 9, 'first_round': 1.0}}, []),  # harder is not easier
        ({'scale_range': (0.5, 1.3)}, []),
        (
            {'tune': {'scales': [1.0], 'finalists': 1, 'first_round': 0.1}},
            [
                'evaluate.tune.scales [1.0] instead of [1.0, 0.75, 0.9, 1.15]',
                'evaluate.tune.finalists 1 instead of 5',
                'evaluate.tune.first_round 0.1 instead of 0.5',
            ],
        ),
        ({'scale_range': (0.9, 1.0)}, ['evaluate.scale_range 0.9 to 1 instead of 0.7 to 1.15']),
        (
            {'degradation': {'demands': 2, 'blind_shares': [0.01], 'surge_factor': 1.0}},
            [
                'evaluate.degradation.blind_shares up to 0.01 instead of 0.5',
                'evaluate.degradation.surge_factor 1.0 instead of 2.0',
            ],
        ),
        ({'degradation': {'demands': 1}}, ['evaluate.degradation.demands 1 instead of 2']),
        ({'seeds': 4, 'nominal': 9}, ['evaluate.seeds 4 instead of 10']),
        (
            {'tune': {'scales': [0.5] * 4}},
            ['evaluate.tune.scales [0.5, 0.5, 0.5, 0.5] instead of [1.0, 0.75, 0.9, 1.15]'],
        ),
        (
            {'degradation': {'demands': 2, 'demand_scales': [1.5]}},
            ['evaluate.degradation.demand_scales from 1.5 instead of 0.5'],
        ),
    ],
)
def test_what_an_evaluation_made_easy_is_named(change, words):
    config = EvaluateConfig.model_validate(change)
    data = evaluation() | {'config': config.model_dump(mode='json')}
    assert easier_conditions(data) == words
    data['scenario'] |= {'end_s': 60.0, 'time_to_teleport_s': 120.0}
    assert easier_conditions(data | {'clearance': 'resco'}) == [
        *words,
        'demands of 60 s instead of an hour',
        'waits cut off by SUMO at 120 s instead of 300 s',
        "clearances 'resco' instead of 'legal'",
    ]
    data['scenario'] |= {'end_s': 3600.0, 'time_to_teleport_s': -1.0}  # SUMO takes nobody out
    assert easier_conditions(data) == words


@pytest.mark.parametrize(
    ('fqe', 'failures'),
    [
        ((-20.0, -29.0), []),
        ((-20.0, -31.0), []),
        ((-31.0, -32.0), ['fitted Q evaluation']),
        ((math.nan, math.nan), ['fitted Q evaluation']),
    ],
)
def test_an_estimate_that_contradicts_fails(fqe, failures):
    data = evaluation()
    data['values'] = {'cql': [{'fqe': value, 'behaviour': -30.0} for value in fqe]}
    assert failed(data) == failures


def test_whom_no_estimate_was_asked_about_fails():
    data = evaluation() | {'values': {'cql': []}}
    assert failed(data) == ['fitted Q evaluation']
    assert 'train.fqe.steps' in reasons(data)['fitted Q evaluation']
    config = GateConfig(needs_fqe=False)
    assert all(check.passed for check in judge_gate(data, 'cql', config))
    assert looser_limits(config) == ['needs_fqe false']


def test_one_junction_that_no_estimate_was_asked_about_is_enough_to_fail():
    asked, unasked = {'fqe': -20.0, 'behaviour': -30.0}, {'fqe': None, 'behaviour': None}
    data = evaluation() | {'values': {'cql': [asked, unasked]}}
    assert failed(data) == ['fitted Q evaluation']
    assert 'at 1 of 2 junctions' in reasons(data)['fitted Q evaluation']
    assert all(check.passed for check in judge_gate(data, 'cql', GateConfig(needs_fqe=False)))


def test_an_unknown_controller_is_refused():
    with pytest.raises(DatasetError, match='dqn'):
        judge_gate(evaluation(), 'dqn', GateConfig())
    with pytest.raises(DatasetError, match=r'a baseline, .* it judges cql'):
        judge_gate(evaluation(), 'net_plan', GateConfig())
    with pytest.raises(DatasetError, match=r"^the evaluation has no controller 'dqn'"):
        decide(evaluation(), 'dqn', GateConfig())


def test_the_price_is_the_ratio_over_shared_demands():
    data, _ = record(8, 20)
    episodes = [
        replace(
            e,
            demand={'seed': n // 2, 'scale': 1.0},
            family='net' if n % 2 else 'leadlag',
            metrics={'delay_s': 40.0 if n % 2 else 42.0},
        )
        for n, e in enumerate(data.episodes)
    ]
    report = quality(replace(data, episodes=episodes))
    assert report['price']['mean'] == pytest.approx(1.05)
    assert report['price']['n_pairs'] == 4
    costly = [replace(e, metrics={'delay_s': e.metrics['delay_s'] * 2}) if e.family != 'net' else e
              for e in episodes]  # fmt: skip
    assert any('budget' in w for w in quality(replace(data, episodes=costly))['warnings'])


@pytest.mark.parametrize(
    ('searched', 'way'),
    [
        (None, "let 'saferl record --budget' search"),
        (1.03, 'of the search it was 1.03; search with a lower budget'),
        (1.20, 'the search found none cheaper'),
    ],
)
def test_a_dear_record_names_the_way_to_a_cheaper_one(searched, way):
    data, _ = record(8, 20)
    search = (
        None if searched is None else [{'price': {'mean': 1.3}}, {'price': {'mean': searched}}]
    )
    data = replace(data, manifest={**data.manifest, 'search': search})
    report = {**quality(data), 'price': {'mean': 1.08}}
    assert any(way in words for words in warnings(report))


def test_changes_are_counted_by_stage():
    data, _ = record(8, 20)
    report = quality(data)
    assert sum(map(sum, report['follows'])) == report['n_changes']
    assert report['follows'][0][0] == 0
    by_queue = report['follows_by_queue'].values()
    assert sum(sum(map(sum, table)) for table in by_queue) == report['n_changes']


def blocks(greens: list[int], *, is_forced: bool) -> Record:
    """Return a record in which stage 1 takes turns with a stage 0 of so many decisions."""
    data, _ = record(2, 1)
    stage = np.concatenate([[0] * n + [1, 1] for n in greens] + [[0]])
    elapsed = elapsed_of(stage, first_s=5.0)
    asked = stage[1:].copy()
    if is_forced:  # stage 0 was to be kept
        asked[(stage[:-1] == 0) & (asked == 1)] = 0
    n = len(asked)
    episode = replace(
        data.behaviour()[0],
        observations=np.zeros((n + 1, data.spec.size), dtype=np.float32),
        legal=np.ones((n + 1, 2), dtype=bool),
        stage=stage,
        green_elapsed_s=elapsed.astype(np.float32),
        requested_stage=asked,
        applied_stage=asked,
        behaviour_prob=np.full(n, 0.5, dtype=np.float32),
        reward=np.full(n, -1.0, dtype=np.float32),
        elapsed_s=np.full(n, 5.0, dtype=np.float32),
        cost=np.zeros((n, 5), dtype=np.float32),
    )
    return replace(data, episodes=[episode])


@pytest.mark.parametrize(
    ('greens', 'is_forced', 'cut', 'same'),
    [
        ([3] * 9, False, False, ['0', '1']),
        ([3, 4] * 5, False, False, ['1']),
        ([3] * 9, True, True, ['0', '1']),  # each as long as its maximum allows
    ],
)
def test_greens_that_never_varied_and_those_that_a_bound_ended_are_named(
    greens, is_forced, cut, same
):
    report = quality(blocks(greens, is_forced=is_forced))
    words = warnings(report)
    assert any(f'{", ".join(same)}: the green was always as long' in w for w in words)
    cut_off = 'stage 0: 100% of its greens were ended by a bound, which is the maximum green of'
    assert any(w.startswith(cut_off) for w in words) == cut
    assert not any(w.startswith('stage 1: 100%') for w in words)
