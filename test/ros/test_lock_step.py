"""The whole graph over real middleware, in lock-step on cologne1."""

from __future__ import annotations

import csv
from pathlib import Path
import signal

from judged import judged_lamps
from nodes import street, UNNAMED
import numpy as np
import pytest

from saferl_msgs.msg import (
    DetectorReadings,
    PolicyStatus,
    ShieldDecision,
    SignalState,
    StageRequest,
)
from saferl_ros.bag.files import read_messages
from saferl_ros.env.junction import Junction
from saferl_ros.isolation import run_isolated
from saferl_ros.ros import names, qos
from saferl_ros.scenario import load_scenario
from saferl_ros.shield import Shield

pytestmark = [pytest.mark.ros, pytest.mark.sumo]

HORIZON_S = 900.0
SEED = 7
IN_COMMAND = {
    'real_time_factor': 0.0, 'armed_at_start': True, 'wait_for_others_s': 120.0,
    'answer_timeout_s': 60.0, 'horizon_s': HORIZON_S,
}  # fmt: skip
BESIDE = {**IN_COMMAND, 'decision_s': 1.0}


def lamps_of(path: Path) -> list[tuple[float, str]]:
    with path.open(newline='') as file:
        return [(float(row['sim_time_s']), row['lamps']) for row in csv.DictReader(file)]


def test_a_policy_in_command_shows_the_very_lamps_that_it_was_judged_by(small_run, tmp_path):
    log = tmp_path / 'lamps.csv'
    with street(tmp_path) as (nodes, observer):
        nodes.start(
            'policy', bundles=[str(small_run.cql)], mode='active', allow_ungated=True,
            autostart=True,
        )  # fmt: skip
        nodes.start('sumo_bridge', seed=SEED, lamp_log=str(log), **IN_COMMAND)
        observer.spin_until(lambda: nodes.running['sumo_bridge'].poll() is not None, 180.0)
        assert nodes.wait('sumo_bridge') == 0, nodes.said('sumo_bridge')
        assert nodes.stop('policy') == 0
        assert observer.count_publishers(names.SHADOW_REQUEST) == 0
    assert '0 monitor faults; 0 ticks under fallback' in nodes.said('sumo_bridge')
    shown = lamps_of(log)
    ((_, judged),) = run_isolated(judged_lamps, [(small_run.cql, HORIZON_S, SEED)], jobs=1)
    assert len(shown) > 50
    assert shown == judged


def run_beside(small_run, folder: Path, *, has_policy: bool) -> list[tuple[float, str]]:
    folder.mkdir()
    log = folder / 'lamps.csv'
    with street(folder) as (nodes, observer):
        nodes.start('fixed_time')
        if has_policy:
            nodes.start('policy', bundles=[str(small_run.cql)], mode='shadow', autostart=True)
            observer.spin_until(lambda: observer.count_publishers(names.SHADOW_REQUEST) == 1)
        nodes.start('sumo_bridge', lamp_log=str(log), wait_for_shadow=has_policy, **BESIDE)
        observer.spin_until(lambda: bool(observer.states))
        observer.spin_for(0.5)  # the graph settles
        observer.spin_until(lambda: UNNAMED not in observer.publishers(names.STAGE_REQUEST))
        if has_policy:
            assert observer.count_publishers(names.SHADOW_REQUEST) == 1
        assert observer.publishers(names.STAGE_REQUEST) == ['fixed_time']  # the incumbent's
        assert nodes.wait('sumo_bridge') == 0, nodes.said('sumo_bridge')
    return lamps_of(log)


def test_a_policy_in_shadow_cannot_command_and_changes_no_lamp(small_run, tmp_path):
    without = run_beside(small_run, tmp_path / 'without', has_policy=False)
    beside = run_beside(small_run, tmp_path / 'beside', has_policy=True)
    assert len(without) > 50
    assert beside == without


def test_the_incumbent_shows_its_program_to_the_second(small_run, tmp_path):
    shown = run_beside(small_run, tmp_path / 'alone', has_policy=False)
    junction = Junction.derive(load_scenario('cologne1', horizon_s=HORIZON_S))
    cycle_s = Shield(junction.plan).program.cycle_s
    first = [(t, lamps) for t, lamps in shown if 25300 <= t < 25300 + cycle_s]
    again = [(t - cycle_s, lamps) for t, lamps in shown if t >= 25300 + cycle_s]
    assert len(first) > 5
    assert again[: len(first)] == first


def as_data(message: object) -> object:
    """Return a message of either library as plain data, to compare."""
    fields = list(getattr(message, '__slots__', ()) or vars(message))
    data = {}
    for name in fields:
        plain = name.lstrip('_')
        if plain in ('check_fields', '_msgtype__') or plain.isupper() or name.startswith('__'):
            continue
        value = getattr(message, plain)
        if hasattr(value, 'sec'):
            data[plain] = (value.sec, value.nanosec)
        elif isinstance(value, (str, bytes, bool, int, float)):
            data[plain] = value
        else:
            data[plain] = np.asarray(value).tolist()
    return data


def test_a_bag_holds_every_message_as_it_was_sent(small_run, tmp_path):
    types = {
        names.SIGNAL_STATE: (SignalState, qos.RECORDING_LATCHED),
        names.DETECTORS: (DetectorReadings, qos.RECORDING_LATCHED),
        names.STAGE_REQUEST: (StageRequest, qos.RECORDING),
        names.SHADOW_REQUEST: (StageRequest, qos.RECORDING),
        names.SHIELD_DECISION: (ShieldDecision, qos.RECORDING),
        names.SHADOW_DECISION: (ShieldDecision, qos.RECORDING),
        names.POLICY_STATUS: (PolicyStatus, qos.RECORDING),
    }
    seen: dict[str, list[object]] = {name: [] for name in types}
    with street(tmp_path) as (nodes, observer):
        for name, (message, profile) in types.items():
            observer.hear(message, name, seen[name].append, profile)
        nodes.start('shadow_recorder', output=str(tmp_path / 'bag'))
        nodes.start('policy', bundles=[str(small_run.cql)], mode='shadow', autostart=True)
        nodes.start('fixed_time')
        observer.spin_until(lambda: observer.count_publishers(names.SHADOW_REQUEST) == 1)
        observer.spin_until(lambda: 'saferl recorder' in observer.diagnostics)
        nodes.start(
            'sumo_bridge', wait_for_shadow=True, recorder='shadow_recorder',
            **{**BESIDE, 'horizon_s': 300.0},
        )  # fmt: skip
        observer.spin_until(lambda: nodes.running['sumo_bridge'].poll() is not None, 180.0)
        whole = (names.SIGNAL_STATE, names.DETECTORS)
        observer.spin_until(lambda: all(len(seen[name]) == 300 for name in whole))
        observer.spin_for(1.0)
        for name in ('policy', 'fixed_time', 'shadow_recorder'):
            assert nodes.stop(name) == 0, nodes.said(name)
    recorded: dict[str, list[object]] = {name: [] for name in types}
    for one in read_messages(tmp_path / 'bag', tuple(types)):
        recorded[one.topic.rsplit('/', 1)[-1]].append(one.message)
    assert len(recorded[names.SIGNAL_STATE]) == 300
    assert len(recorded[names.DETECTORS]) == 300
    for name in types:
        ours, theirs = list(map(as_data, seen[name])), list(map(as_data, recorded[name]))
        if name == names.POLICY_STATUS:  # by the wall clock: one may hear longer than the other
            both = [status for status in ours if status in theirs]
            assert len(both) >= min(len(ours), len(theirs)) - 2 > 0
            continue
        assert len(theirs) > 20, name
        assert ours == theirs, name


def test_one_bridge_serves_all_junctions_of_a_network(tmp_path):
    log = tmp_path / 'lamps.csv'
    with street(tmp_path) as (nodes, observer):
        nodes.start('fixed_time')
        nodes.start(
            'sumo_bridge', lamp_log=str(log),
            **{**BESIDE, 'scenario': 'corridor', 'horizon_s': 300.0},
        )  # fmt: skip
        observer.spin_until(lambda: nodes.running['sumo_bridge'].poll() is not None, 180.0)
        assert nodes.wait('sumo_bridge') == 0, nodes.said('sumo_bridge')
        assert nodes.stop('fixed_time') == 0
    assert '300 ticks' in nodes.said('sumo_bridge')
    assert '0 monitor faults; 0 ticks under fallback' in nodes.said('sumo_bridge')
    assert nodes.said('fixed_time').count('by its fixed-time program') == 3
    with log.open(newline='') as file:
        shown = {row['junction_id'] for row in csv.DictReader(file)}
    assert shown == {'a', 'b', 'c'}


def test_a_recorder_begins_new_segments_and_loses_nothing_between_them(tmp_path):
    bag = tmp_path / 'bag'
    with street(tmp_path) as (nodes, observer):
        nodes.start('fixed_time')
        nodes.start('shadow_recorder', output=str(bag), max_segment_mb=0.05)
        nodes.start('sumo_bridge', recorder='shadow_recorder', **{**BESIDE, 'horizon_s': 300.0})
        observer.spin_until(lambda: nodes.running['sumo_bridge'].poll() is not None, 180.0)
        assert nodes.stop('shadow_recorder') == 0, nodes.said('shadow_recorder')
    segments = sorted(bag.iterdir())
    assert len(segments) > 2
    assert all((segment / 'metadata.yaml').exists() for segment in segments)
    states = [one.message.sequence for one in read_messages(bag, (names.SIGNAL_STATE,))]
    assert states == list(range(1, 301))
    for segment in segments:  # each can be read by itself
        assert len(list(read_messages(segment, (names.DESCRIPTION,)))) == 1


def test_a_recorder_that_is_held_up_has_no_gap_in_lock_step(tmp_path):
    bag = tmp_path / 'bag'
    with street(tmp_path) as (nodes, observer):
        nodes.start('fixed_time')
        nodes.start('shadow_recorder', output=str(bag))
        nodes.start('sumo_bridge', recorder='shadow_recorder', **BESIDE)
        observer.spin_until(lambda: len(observer.states) > 50)
        nodes.signal('shadow_recorder', signal.SIGSTOP)
        observer.spin_for(4.0)
        nodes.signal('shadow_recorder', signal.SIGCONT)
        observer.spin_until(lambda: nodes.running['sumo_bridge'].poll() is not None, 180.0)
        assert nodes.stop('shadow_recorder') == 0, nodes.said('shadow_recorder')
    states = [one.message.sequence for one in read_messages(bag, (names.SIGNAL_STATE,))]
    assert states == list(range(1, int(HORIZON_S) + 1))


def test_a_run_goes_on_without_a_listener_that_stands_still_and_says_so(tmp_path):
    with street(tmp_path) as (nodes, observer):
        nodes.start('fixed_time')
        nodes.start('shadow_recorder', output=str(tmp_path / 'bag'))
        nodes.start(
            'sumo_bridge', recorder='shadow_recorder',
            **{**BESIDE, 'answer_timeout_s': 5.0, 'horizon_s': 1800.0},
        )  # fmt: skip
        observer.spin_until(lambda: len(observer.states) > 50)
        nodes.signal('shadow_recorder', signal.SIGSTOP)
        observer.spin_until(lambda: nodes.running['sumo_bridge'].poll() is not None, 180.0)
        assert nodes.wait('sumo_bridge') == 0
    assert nodes.said('sumo_bridge').count('did not keep up for 5 s') == 1
    assert '1800 ticks' in nodes.said('sumo_bridge')
