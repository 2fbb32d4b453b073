"""The check finds each rule that a network's own program breaks, and names link and source."""

from __future__ import annotations

from pathlib import Path
import re

import pytest

from saferl_ros.errors import ScenarioError
from saferl_ros.scenario.catalogue import own_nets_dir
from saferl_ros.signals import ConflictMonitor
from saferl_ros.signals.rules import RULE_WORDS
from saferl_ros.sumo.network import Network, read_network
from saferl_ros.sumo.preflight import check_junction, Finding, play, SOURCES
from saferl_ros.sumo.settings import PlanLimits

CROSSING = own_nets_dir() / 'crossing' / 'crossing.net.xml'
Phases = list[tuple[float, str]]
RED = 'r' * 16
LEGAL: Phases = [
    (22, 'gGrrrrgGrrrrrGrG'),
    (7, 'gGrrrrgGrrrrrrrr'),  # pedestrian clearance
    (4, 'yyrrrryyrrrrrrrr'),
    (1, RED),
    (9, 'rrGrrrrrGrrrrrrr'),
    (3, 'rryrrrrryrrrrrrr'),
    (2, RED),
    (17, 'rrrgGrrrrgGrGrGr'),
    (7, 'rrrgGrrrrgGrrrrr'),  # pedestrian clearance
    (3, 'rrryyrrrryyrrrrr'),
    (2, RED),
    (8, 'rrrrrGrrrrrGrrrr'),
    (3, 'rrrrryrrrrryrrrr'),
    (2, RED),
]


def crossing_with(
    folder: Path, phases: Phases, *, kind: str = 'static', stated: dict[int, str] | None = None
) -> Network:
    """Return our own crossing with another program."""
    lines = [
        f'<phase duration="{duration_s}" state="{lamps}" {(stated or {}).get(n, "")}/>'
        for n, (duration_s, lamps) in enumerate(phases)
    ]
    logic = f'<tlLogic id="c" type="{kind}" programID="0" offset="0">{"".join(lines)}</tlLogic>'
    text, n = re.subn(r'<tlLogic.*</tlLogic>', logic, CROSSING.read_text(), flags=re.DOTALL)
    assert n == 1
    path = folder / f'crossing{len(list(folder.iterdir()))}.net.xml'
    path.write_text(text)
    return read_network(path)


def changed(changes: dict[int, tuple[float, str] | None]) -> Phases:
    """Return the legal program with some phases changed or (``None``) left out."""
    phases = [changes.get(n, phase) for n, phase in enumerate(LEGAL)]
    return [phase for phase in phases if phase is not None]


def rules(findings: list[Finding]) -> set[str]:
    return {finding.rule for finding in findings}


def test_every_rule_of_the_monitor_has_words_and_a_source():
    text = ConflictMonitor.__doc__ or ''
    latched = set(re.findall(r'``([a-z_]+)``', text[text.index('Rules:') : text.index(':param')]))
    assert len(latched) == 10
    assert latched <= set(RULE_WORDS)
    assert set(RULE_WORDS) == set(SOURCES) == latched | {'no_walk', 'turn_beside_walk'}


def test_a_legal_program_has_no_finding(tmp_path):
    assert check_junction(read_network(CROSSING), 'c') == []
    assert check_junction(crossing_with(tmp_path, LEGAL), 'c') == []


@pytest.mark.parametrize(
    ('changes', 'rule', 'links', 'found', 'required', 'source'),
    [
        (
            {1: (8, LEGAL[1][1]), 2: (3, LEGAL[2][1])},
            'short_yellow',
            {0, 1, 6, 7},
            3,
            4,
            'ITE kinematic',
        ),
        ({8: (10, LEGAL[8][1]), 9: None}, 'missing_yellow', {3, 4, 9, 10}, 0, 3, 'MUTCD 4D.26'),
        ({6: None}, 'short_all_red', {2, 8}, 0, 1, 'NCHRP 731 for turns'),
        ({0: (6, LEGAL[0][1])}, 'short_walk', {13, 15}, 6, 7, 'MUTCD 4E.06'),
        ({1: None}, 'short_walk_clearance', {13, 15}, 5, 12, 'MUTCD 4E.06: 3.5 ft/s'),
        ({7: (17, LEGAL[8][1])}, 'no_walk', {12, 14}, 0, 7, 'MUTCD 4E.06: walk'),
        ({4: (9, 'rrxrrrrrGrrrrrrr')}, 'red_failure', {-1}, 16, 16, 'MUTCD 4D.05'),
    ],
)
def test_each_broken_rule_is_found_at_its_links(
    tmp_path, changes, rule, links, found, required, source
):
    findings = check_junction(crossing_with(tmp_path, changed(changes)), 'c')
    assert rules(findings) == {rule}
    assert {f.link for f in findings} == links
    for finding in findings:
        assert (finding.found, finding.required, finding.bound) == (found, required, 'at least')
        assert source in finding.source


def test_conflicting_greens_name_both_links_and_how_long_they_are_shown_together(tmp_path):
    both = 'gGrrGrgGrrrrrGrG'  # the straight from the east beside those from north and south
    findings = check_junction(crossing_with(tmp_path, changed({0: (22, both)})), 'c')
    pairs = [f for f in findings if f.rule == 'conflicting_greens']
    assert {(f.link, f.foe) for f in pairs} == {(0, 4), (1, 4), (4, 7), (4, 13), (4, 15)}
    assert {(f.found, f.required, f.bound) for f in pairs} == {(22.0, 0.0, 'at most')}
    (north,) = [f for f in pairs if (f.link, f.foe) == (1, 4)]
    assert north.movement == 'straight n_c_1 → c_s_1'
    assert north.foe_movement == 'straight e_c_1 → c_w_1'
    (walkers,) = [f for f in pairs if f.foe == 13]
    assert walkers.foe_movement == 'crossing :c_c1'


def test_a_yellow_beside_a_foe_counts_as_the_green_it_ends(tmp_path):
    late = 'yyrrGryyrrrrrrrr'
    findings = check_junction(crossing_with(tmp_path, changed({2: (4, late)})), 'c')
    assert {f.found for f in findings if f.rule == 'conflicting_greens'} == {4.0}


def test_the_change_from_the_last_phase_to_the_first_is_seen(tmp_path):
    findings = check_junction(crossing_with(tmp_path, changed({13: None})), 'c')
    assert {(f.rule, f.link) for f in findings} == {('short_all_red', 5), ('short_all_red', 11)}


def test_green_is_too_long_when_two_phases_go_on_with_the_same_lamps(tmp_path):
    twice = [(50, LEGAL[0][1]), *LEGAL]
    (finding,) = check_junction(crossing_with(tmp_path, twice), 'c')
    assert (finding.rule, finding.bound) == ('long_green', 'at most')
    assert 60 < finding.required < finding.found


def test_an_actuated_program_is_held_to_its_shortest_phases(tmp_path):
    stated = {0: 'minDur="5" maxDur="50"', 2: 'minDur="3" maxDur="4"'}
    static = crossing_with(tmp_path, LEGAL, stated=stated)
    assert check_junction(static, 'c') == []  # there these two mean nothing
    findings = check_junction(crossing_with(tmp_path, LEGAL, kind='actuated', stated=stated), 'c')
    assert rules(findings) == {'short_walk', 'short_yellow', 'short_walk_clearance'}


def test_a_time_that_an_engineer_states_is_the_source_of_its_rule(tmp_path):
    limits = PlanLimits(yellow_s={1: 5.0})
    findings = check_junction(crossing_with(tmp_path, LEGAL), 'c', 1.0, limits)
    (finding,) = [f for f in findings if f.rule == 'short_yellow']
    assert (finding.link, finding.found, finding.required) == (1, 4.0, 5.0)
    assert finding.source == "stated in the junction's settings"


def test_turns_beside_a_walk_are_found_where_pedestrians_share_with_nobody(tmp_path):
    on_red = [(d, lamps.replace('g', 's', 1)) for d, lamps in LEGAL]  # link 0 turns on red instead
    for program in (LEGAL, on_red):
        crossing = crossing_with(tmp_path, program)
        assert check_junction(crossing, 'c', limits=PlanLimits()) == []
        found = check_junction(crossing, 'c', limits=PlanLimits(pedestrians='exclusive'))
        beside = {f.link: f.found for f in found if f.rule == 'turn_beside_walk'}
        assert beside[0] == 22
        assert {f.bound for f in found if f.rule == 'turn_beside_walk'} == {'at most'}


@pytest.mark.parametrize('durations_s', [(0, 0), (20, -3)])
def test_a_program_in_which_no_time_passes_or_runs_back_is_refused(tmp_path, durations_s):
    lamps = (LEGAL[0][1], LEGAL[4][1])
    with pytest.raises(ScenarioError, match=r"signal 'c' has no phase that lasts, or one of"):
        crossing_with(tmp_path, list(zip(durations_s, lamps, strict=True)))


def test_phases_of_whole_steps_are_played_twice():
    assert list(play([(2, 'G'), (1, 'y')], step_s=1.0)) == ['G', 'G', 'y'] * 2


def test_phases_that_end_within_a_step_switch_in_it_as_sumo_does():
    # they end at 2.5, 3.5, 6.0, 7.0: the second yellow begins in a step and ends in the next
    shown = list(play([(2.5, 'G'), (1.0, 'y')], step_s=1.0))
    assert shown == ['G', 'G', 'y', 'G', 'G', 'G', 'y', 'G', 'G', 'y']
    assert list(play([(1, 'G'), (0.5, 'y')], step_s=0.5)) == ['G', 'G', 'y'] * 2


def test_an_offset_within_a_step_moves_what_a_step_shows():
    assert list(play([(1.5, 'G'), (0.5, 'y')], step_s=1.0)) == ['G', 'y'] * 2
    assert list(play([(1.5, 'G'), (0.5, 'y')], step_s=1.0, offset_s=7.5)) == ['G', 'G'] * 2
