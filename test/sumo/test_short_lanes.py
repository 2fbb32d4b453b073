"""A road split into edges of centimetres: what waits before the last one is seen."""

from __future__ import annotations

from pathlib import Path
import subprocess

import numpy as np
import pytest

from saferl_ros.env.intersection import IntersectionEnv
from saferl_ros.scenario import Scenario
from saferl_ros.sumo.home import sumo_binary

pytestmark = pytest.mark.sumo

NODES = """<nodes>
    <node id="west" x="-300" y="0"/> <node id="split" x="-12" y="0" type="zipper"/>
    <node id="signal" x="0" y="0" type="traffic_light"/> <node id="east" x="300" y="0"/>
    <node id="north" x="0" y="300"/> <node id="south" x="0" y="-300"/>
</nodes>"""
EDGES = """<edges>
    <edge id="road" from="west" to="split" numLanes="1" speed="13.9"/>
    <edge id="end" from="split" to="signal" numLanes="1" speed="13.9" length="0.2"/>
    <edge id="away" from="signal" to="east" numLanes="1" speed="13.9"/>
    <edge id="down" from="north" to="signal" numLanes="1" speed="13.9"/>
    <edge id="off" from="signal" to="south" numLanes="1" speed="13.9"/>
</edges>"""
CONNECTIONS = """<connections>
    <connection from="road" to="end"/> <connection from="end" to="away"/>
    <connection from="down" to="off"/>
</connections>"""
ROUTES = """<routes>
    <flow id="stream" begin="0" end="400" period="6"> <route edges="down off"/> </flow>
    <vehicle id="one" depart="5"> <route edges="road end away"/> </vehicle>
</routes>"""


@pytest.fixture(scope='module')
def scenario(tmp_path_factory) -> Scenario:
    folder = tmp_path_factory.mktemp('short')
    texts = {'nod': NODES, 'edg': EDGES, 'con': CONNECTIONS, 'rou': ROUTES}
    files = {name: folder / f'short.{name}.xml' for name in texts}
    for name, text in texts.items():
        files[name].write_text(text, encoding='utf-8')
    net_file = folder / 'short.net.xml'
    subprocess.run(
        [
            *(sumo_binary('netconvert'), '-n', str(files['nod']), '-e', str(files['edg'])),
            *('-x', str(files['con']), '-o', str(net_file), '--no-turnarounds'),
        ],
        check=True,
        capture_output=True,
    )
    return _scenario(net_file, files['rou'])


def _scenario(net_file: Path, route_file: Path) -> Scenario:
    return Scenario(
        name='short', net_file=net_file, route_files=(route_file,), begin_s=0.0, end_s=400.0
    )


def test_a_car_that_waits_before_a_lane_too_short_for_it_is_seen(scenario):
    env = IntersectionEnv(scenario)
    lane = next(lane for lane in env.junction.spec.lanes if lane.lane_id == 'end_0')
    assert lane.lane_length_m == pytest.approx(0.2)
    assert lane.reach_m == pytest.approx(30.0, abs=15.0)
    plan = env.junction.plan
    cross = next(link.index for link in plan.links if link.from_lane == 'down_0')
    busy = next(stage for stage in range(plan.n_stages) if cross in plan.greens(stage))
    names = [feature.name for feature in env.junction.spec.features()]
    features, info = env.reset(seed=1)
    queue_veh, is_cut = [], False
    while not is_cut:
        mask = info['action_mask']
        action = busy if mask[busy] else int(np.flatnonzero(mask)[0])
        features, _, _, is_cut, info = env.step(action)
        queue_veh.append(10.0 * float(features[names.index('end_0_queue')]))
    env.close()
    assert max(queue_veh) == pytest.approx(1.0)
    assert queue_veh[-1] == 0.0
