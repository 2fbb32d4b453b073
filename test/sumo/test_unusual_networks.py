"""Networks built unlike most: each plan describes its street, or none is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
import subprocess

import pytest

from saferl_ros.errors import ScenarioError, SignalPlanError
from saferl_ros.shield import FixedTimeProgram
from saferl_ros.signals import SignalPlan
from saferl_ros.sumo.derive import derive_plan
from saferl_ros.sumo.detectors import derive_spec
from saferl_ros.sumo.home import sumo_binary
from saferl_ros.sumo.network import Network, read_network

LEGS = {'N': (0, 200), 'E': (200, 0), 'S': (0, -200), 'W': (-200, 0)}
NODES = '<nodes><node id="C" x="0" y="0" type="traffic_light"/>{}</nodes>'.format(
    ''.join(f'<node id="{leg}" x="{x}" y="{y}"/>' for leg, (x, y) in LEGS.items())
)
EDGES = '<edges>{}</edges>'.format(
    ''.join(
        f'<edge id="{a}{b}" from="{a}" to="{b}" numLanes="2" speed="13.89"/>'
        for leg in LEGS
        for a, b in ((leg, 'C'), ('C', leg))
    )
)
Build = Callable[..., Network]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    def made(*options: str, edges: str = EDGES, connections: str = '') -> Network:
        files = {'-n': NODES, '-e': edges} | ({'-x': connections} if connections else {})
        command = [sumo_binary('netconvert'), '--no-turnarounds', *options]
        for option, text in files.items():
            path = tmp_path / f'plain{option}.xml'
            path.write_text(text, encoding='utf-8')
            command += [option, str(path)]
        net_file = tmp_path / f'{len(list(tmp_path.iterdir()))}.net.xml'
        subprocess.run([*command, '-o', str(net_file)], check=True, capture_output=True)
        return read_network(net_file)

    return made


def lanes_seen(network: Network) -> set[str]:
    plan = derive_plan(network, 'C')
    return {lane.lane_id for lane in derive_spec(network, plan, 'detector').lanes}


def reds_s(plan: SignalPlan) -> dict[tuple[str, str, str, str], float]:
    """Return the red clearance by the lanes of both movements [s]."""
    return {
        (*ours, *theirs): plan.min_red_s[i.index][j.index]
        for i in plan.links
        for j in plan.links
        for ours in i.ways
        for theirs in j.ways
    }


def test_movements_that_share_a_lamp_are_all_seen_and_all_cleared(build):
    alone, shared = build(), build('--tls.group-signals')
    plans = derive_plan(alone, 'C'), derive_plan(shared, 'C')
    assert plans[1].n_links < plans[0].n_links
    assert any(link.others for link in plans[1].links)
    assert lanes_seen(shared) == lanes_seen(alone)
    apart, together = map(reds_s, plans)
    assert apart.keys() == together.keys()
    assert all(together[pair] >= apart[pair] for pair in apart)
    assert SignalPlan.from_json(plans[1].to_json()) == plans[1]


def with_lamps(network: Network, lamps: dict[str, int]) -> Network:
    """Return the network with one lamp for all movements of an edge."""
    connections = [
        replace(c, link_index=lamps[network.lanes[c.from_lane].edge_id]) if c.tls_id else c
        for c in network.connections
    ]
    return replace(network, connections=connections)


def test_a_lamp_for_straight_on_and_turns_stands_for_straight_on(build):
    shared = with_lamps(build(), {'NC': 0, 'EC': 1, 'SC': 2, 'WC': 3})
    plan = derive_plan(shared, 'C')
    assert [link.direction for link in plan.links[:4]] == ['s'] * 4
    assert all(plan.foes[i][j] for i in range(4) for j in range(4) if i != j)
    greens = [set(plan.greens(stage)) & {0, 1, 2, 3} for stage in range(plan.n_stages)]
    assert max(map(len, greens)) == 1
    assert set().union(*greens) == {0, 1, 2, 3}


def test_movements_that_conflict_or_clear_otherwise_cannot_share_a_lamp(build):
    with pytest.raises(SignalPlanError, match='lamp 0 is shared by movements that conflict'):
        derive_plan(with_lamps(build(), {'NC': 0, 'EC': 0, 'SC': 2, 'WC': 3}), 'C')
    slow = EDGES.replace('from="S" to="C" numLanes="2" speed="13.89"', 'from="S" to="C" speed="8"')
    with pytest.raises(SignalPlanError, match=r'lamp 0 is shared by .* different posted speeds'):
        derive_plan(with_lamps(build(edges=slow), {'NC': 0, 'EC': 1, 'SC': 0, 'WC': 3}), 'C')


def test_a_movement_that_loses_its_green_to_a_merge_gets_it_in_a_stage_more(build):
    connections = (
        '<connections><connection from="WC" to="CE" fromLane="0" toLane="0"/>'
        '<connection from="WC" to="CE" fromLane="1" toLane="0"/></connections>'
    )
    plan = derive_plan(build(connections=connections), 'C')
    served = {link for stage in range(plan.n_stages) for link in plan.greens(stage)}
    assert served == set(range(plan.n_links))


def test_a_network_that_does_not_tell_of_conflicts_is_refused(build):
    with pytest.raises(ScenarioError, match=r"junction 'C' .* lane '\w+' .*no-internal-links"):
        derive_plan(build('--no-internal-links'), 'C')
    crossings = (
        '<connections><crossing node="C" edges="NC CN" priority="1" linkIndex="20" '
        'linkIndex2="24"/></connections>'
    )
    with pytest.raises(ScenarioError, match='one lamp for each crossing'):
        derive_plan(build('--sidewalks.guess', '--crossings.guess', connections=crossings), 'C')


def test_a_program_that_begins_with_a_yellow_keeps_step_with_sumo(build):
    network = build()
    own = network.programs['C']
    turned = replace(own, phases=own.phases[-1:] + own.phases[:-1])
    plan = derive_plan(replace(network, programs={'C': turned}), 'C', clearance='net')
    assert 'y' in turned.phases[0].lamps
    assert plan.offset_s == turned.phases[0].duration_s
    first = plan.program[0].stage_index
    assert FixedTimeProgram(plan).stage_at(turned.phases[0].duration_s + 0.5) == first


@pytest.mark.parametrize('drives_left', [False, True])
def test_the_turn_across_the_other_direction_approaches_slower(build, drives_left):
    plan = derive_plan(build(*(['--lefthand'] if drives_left else [])), 'C')
    yellow_s = {link.direction: plan.min_yellow_s[link.index] for link in plan.links}
    across, near = ('r', 'l') if drives_left else ('l', 'r')
    assert yellow_s[across] < yellow_s[near] == yellow_s['s']
