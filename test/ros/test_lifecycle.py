"""The policy node's life: every transition, every refusal, and the modes it may have."""

from __future__ import annotations

import json
from pathlib import Path
import shutil
import subprocess
import sys

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from nodes import JUNCTION, Nodes, Observer, street
import pytest
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters

from saferl_msgs.msg import SignalState
from saferl_msgs.srv import SetMode
from saferl_ros.bundle.manifest import Manifest
from saferl_ros.ros import names, qos

pytestmark = [pytest.mark.ros, pytest.mark.sumo]

POLICY = f'saferl policy: {JUNCTION}'


def change(observer: Observer, transition: int) -> bool:
    answer = observer.call(
        ChangeState, '/policy/change_state', transition=Transition(id=transition)
    )
    return bool(answer.success)


def state(observer: Observer) -> str:
    return str(observer.call(GetState, '/policy/get_state').current_state.label)


def gated(bundle: Path, folder: Path, *, passed: bool) -> Path:
    """Return a copy of a bundle that carries a verdict."""
    copy = Path(shutil.copytree(bundle, folder / f'gated_{passed}'))
    manifest = Manifest.read(copy)
    manifest.model_copy(update={'gate': {'controller': 'cql', 'passed': passed}}).write(copy)
    return copy


def test_the_walk_through_every_state_and_back(small_run, tmp_path):
    with street(tmp_path) as (nodes, observer):
        nodes.start('policy', bundles=[str(small_run.cql)], mode='shadow')
        assert state(observer) == 'unconfigured'
        for transition, after, n_publishers in (
            (Transition.TRANSITION_CONFIGURE, 'inactive', 0),
            (Transition.TRANSITION_ACTIVATE, 'active', 1),
            (Transition.TRANSITION_DEACTIVATE, 'inactive', 0),
            (Transition.TRANSITION_ACTIVATE, 'active', 1),
            (Transition.TRANSITION_DEACTIVATE, 'inactive', 0),
            (Transition.TRANSITION_CLEANUP, 'unconfigured', 0),
            (Transition.TRANSITION_CONFIGURE, 'inactive', 0),
        ):
            assert change(observer, transition), nodes.said('policy')
            assert state(observer) == after
            observer.spin_until(
                lambda n=n_publishers: observer.count_publishers(names.SHADOW_REQUEST) == n
            )
        assert observer.count_publishers(names.STAGE_REQUEST) == 0
        assert change(observer, Transition.TRANSITION_INACTIVE_SHUTDOWN)
        assert state(observer) == 'finalized'
        assert nodes.stop('policy') == 0


def test_illegal_transitions_are_answered_with_no_and_the_node_lives(small_run, tmp_path):
    with street(tmp_path) as (nodes, observer):
        nodes.start('policy', bundles=[str(small_run.cql)], mode='shadow')
        for transition in (
            Transition.TRANSITION_ACTIVATE,
            Transition.TRANSITION_DEACTIVATE,
            Transition.TRANSITION_CLEANUP,
            200,
        ):
            assert not change(observer, transition)
            assert state(observer) == 'unconfigured'
        assert 'is not possible now' in nodes.said('policy')
        assert change(observer, Transition.TRANSITION_CONFIGURE)


def test_a_bundle_that_cannot_be_used_fails_to_configure_and_says_why(small_run, tmp_path):
    damaged = Path(shutil.copytree(small_run.cql, tmp_path / 'damaged'))
    (damaged / 'policy.onnx').write_bytes(b'no network')
    for folder, said in (
        (tmp_path / 'nowhere', 'is no policy bundle'),
        (damaged, 'was changed since it was written'),
        ('', "'bundles' is empty"),
    ):
        place = tmp_path / f'run_{said[:5].strip()}'
        place.mkdir()
        with street(place) as (nodes, observer):
            nodes.start('policy', bundles=[str(folder)], mode='shadow')
            assert not change(observer, Transition.TRANSITION_CONFIGURE)
            assert state(observer) == 'unconfigured'
            assert said in nodes.said('policy')
            assert 'Traceback' not in nodes.said('policy')
            assert nodes.stop('policy') == 0


def test_a_bundle_for_another_plan_never_decides_and_diagnostics_say_so(small_run, tmp_path):
    with street(tmp_path) as (nodes, observer):
        nodes.start('policy', bundles=[str(small_run.cql)], mode='shadow', autostart=True)
        nodes.start('sumo_bridge', real_time_factor=10.0, observation='ideal', armed_at_start=True)
        observer.spin_until(lambda: bool(observer.states))
        observer.spin_until(
            lambda: (
                POLICY in observer.diagnostics
                and 'the bundle is for observation' in observer.diagnostics[POLICY].message
            )
        )
        assert observer.diagnostics[POLICY].level == b'\x02'


def test_states_without_readings_are_no_street_to_decide_for(small_run, tmp_path):
    with street(tmp_path) as (nodes, observer):
        topic = names.topic(JUNCTION, names.SIGNAL_STATE)
        says = observer.node.create_publisher(SignalState, topic, qos.STATE)
        nodes.start(
            'policy', bundles=[str(small_run.cql)], mode='shadow', autostart=True,
            max_silence_s=2,  # no double, as YAML reads it
        )  # fmt: skip
        observer.spin_until(
            lambda: (
                POLICY in observer.diagnostics
                and 'no state of the junction has arrived' in observer.diagnostics[POLICY].message
            )
        )
        tick = observer.node.create_timer(
            0.2, lambda: says.publish(SignalState(junction_id=JUNCTION, run_id='a', sequence=1))
        )
        observer.spin_until(lambda: 'no readings' in observer.diagnostics[POLICY].message)
        assert names.topic(JUNCTION, names.DETECTORS) in observer.diagnostics[POLICY].message
        assert observer.diagnostics[POLICY].level == b'\x02'
        observer.node.destroy_timer(tick)


def test_only_a_bundle_that_passed_the_gate_may_command(small_run, tmp_path):
    for passed, mode, allow, may in (
        (False, 'active', False, False),
        (False, 'active', True, True),
        (True, 'active', False, True),
        (False, 'advisory', False, True),
        (False, 'sideways', False, False),
    ):
        place = tmp_path / f'{passed}_{mode}_{allow}'
        place.mkdir()
        bundle = gated(small_run.cql, place, passed=passed)
        with street(place) as (nodes, observer):
            nodes.start('policy', bundles=[str(bundle)], mode=mode, allow_ungated=allow)
            assert change(observer, Transition.TRANSITION_CONFIGURE) is may, nodes.said('policy')
            if not may:
                assert ('carries no passed gate' in nodes.said('policy')) == (mode == 'active')
            if may and allow:
                assert change(observer, Transition.TRANSITION_ACTIVATE)
                observer.spin_until(lambda: POLICY in observer.diagnostics)
                said = observer.diagnostics[POLICY].values
                assert {v.key: v.value for v in said}['gate passed'] == 'False'


def test_the_mode_decides_which_topic_there_is_and_is_validated(small_run, tmp_path):
    with street(tmp_path) as (nodes, observer):
        nodes.start(
            'policy', bundles=[str(gated(small_run.cql, tmp_path, passed=True))], mode='shadow',
            autostart=True,
        )  # fmt: skip
        for mode in ('shadow', 'advisory', 'active', 'shadow'):
            answer = observer.call(SetMode, '/policy/set_mode', mode=mode)
            assert answer.success, answer.message
            for other, topic in names.REQUEST_TOPICS.items():
                observer.spin_until(
                    lambda t=topic, n=int(other == mode): observer.count_publishers(t) == n
                )
        # the mode that holds is no news: a publisher that went and came would lose command
        observer.call(SetMode, '/policy/set_mode', mode='active')
        topic = names.REQUEST_TOPICS['active']
        observer.spin_until(lambda: observer.count_publishers(topic) == 1)
        before = observer.publisher_ids(topic)
        assert observer.call(SetMode, '/policy/set_mode', mode='active').success
        observer.spin_for(1.0)
        assert observer.publisher_ids(topic) == before
        answer = observer.call(SetMode, '/policy/set_mode', mode='sideways')
        assert not answer.success
        assert 'shadow, advisory, active' in answer.message


def run_node(node: str, nodes: Nodes, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, '-m', f'saferl_ros.ros.{node}', '--ros-args', *arguments],
        env=nodes.environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(
    ('node', 'arguments', 'said'),
    [
        ('policy', ('-p', 'bundles:=5'), 'bundles'),
        ('policy', ('-p', 'allow_ungated:=maybe'), 'allow_ungated'),
        ('sumo_bridge', ('-p', 'real_time_factor:=fast'), 'a number from 0 to 1000'),
        ('sumo_bridge', ('-p', 'real_time_factor:=-2.0'), 'real_time_factor'),
        ('sumo_bridge', ('-p', 'scenario:=colonge1'), 'did you mean cologne1'),
        ('sumo_bridge', ('--params-file', '/nowhere/params.yaml'), '/nowhere/params.yaml'),
        ('shadow_recorder', ('-p', 'output:=/proc/nowhere'), 'cannot record'),
    ],
)
def test_parameters_that_cannot_be_used_end_in_one_clear_line(node, arguments, said, tmp_path):
    done = run_node(node, Nodes(tmp_path), *arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert 'Traceback' not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_parameter_cannot_be_changed_under_way_and_the_node_lives(small_run, tmp_path):
    with street(tmp_path) as (nodes, observer):
        nodes.start('policy', bundles=[str(small_run.cql)], mode='shadow')
        wrong = Parameter(
            name='mode',
            value=ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=3),
        )
        answer = observer.call(SetParameters, '/policy/set_parameters', parameters=[wrong])
        assert not answer.results[0].successful
        assert state(observer) == 'unconfigured'


def test_autostart_with_a_bundle_that_is_missing_ends_with_exit_code_1(tmp_path):
    done = run_node(
        'policy', Nodes(tmp_path), '-p', "bundles:=['/nowhere']", '-p', 'autostart:=true'
    )
    assert done.returncode == 1
    assert "'/nowhere' is no policy bundle" in done.stderr


def test_the_description_of_a_junction_survives_the_way_through_text(small_run):
    from saferl_ros.bag.description import JunctionDescription
    from saferl_ros.bundle.load import load_bundle
    from saferl_ros.errors import BundleError

    bundle = load_bundle(small_run.cql)
    description = JunctionDescription(
        plan=bundle.plan, spec=bundle.spec, scenario={'name': 'cologne1'}
    )
    assert JunctionDescription.from_text(description.to_text()) == description
    for text in ('', '[]', json.dumps({'plan': {}}), 'no json'):
        with pytest.raises(BundleError, match='not a description'):
            JunctionDescription.from_text(text)
