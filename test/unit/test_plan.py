"""A signal plan refuses to contradict itself, and its fingerprint tells plans apart."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from small import CROSS_STREET, crossing, LAGGING_LEFT, LEFT, matrix, NORTH, SOUTH, STRAIGHTS, WEST

from saferl_ros.errors import SignalPlanError
from saferl_ros.signals import Link, ProgramInterval, SignalPlan, Stage


def stages(*lamps: str, min_green_s: float = 5.0, max_green_s: float = 60.0) -> tuple[Stage, ...]:
    return tuple(
        Stage(lamps=text, min_green_s=min_green_s, max_green_s=max_green_s) for text in lamps
    )


def walking(crossing_link: int) -> tuple[Link, ...]:
    """Return the crossing's links with one of them a pedestrian crossing."""
    links = crossing().links
    return tuple(replace(link, is_crossing=link.index == crossing_link) for link in links)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'stages': ()}, '0 stages and 4 links'),
        ({'links': ()}, '3 stages and 0 links'),
        ({'foes': ((False,) * 4,) * 3}, 'foes must be 4 x 4'),
        ({'yields': ((False,) * 3,) * 4}, 'yields must be 4 x 4'),
        ({'yellow_s': ((3.0,) * 3,) * 2}, 'yellow_s must be 3 x 3'),
        ({'all_red_s': ((2.0,) * 2,) * 3}, 'all_red_s must be 3 x 3'),
        ({'min_yellow_s': (3.0,) * 3}, 'min_yellow_s must have 4 values'),
        ({'min_red_s': ((2.0,) * 5,) * 4}, 'min_red_s must be 4 x 4'),
        ({'stages': stages('GGg', 'rGGr', 'rrrG')}, "stage 0: lamps 'GGg' must be 4 letters"),
        ({'stages': stages('GGgr', 'ryyr', 'rrrG')}, "stage 1: lamps 'ryyr'"),
        ({'stages': stages('GGGr', 'rGGr', 'rrrG')}, 'green to links 0 and 2'),
        ({'stages': stages('GGgr', 'rGGr', 'rGrG')}, 'stage 2 shows green to links 1 and 3'),
        (
            {'stages': stages('GGgr', 'rGGr', 'rrrG', min_green_s=0.0)},
            r'stage 0: need 0 < min green \(0\) <= max green \(60\)',
        ),
        (
            {'stages': stages('GGgr', 'rGGr', 'rrrG', max_green_s=4.0)},
            r'min green \(5\) <= max green \(4\)',
        ),
        (
            {'min_yellow_s': (3.0, 3.0, 3.0, 5.0)},
            'stage 2 to 0: yellow of 4 s is shorter than link 3 needs: 5 s',
        ),
        (
            {'min_red_s': ((3.0,) * 4, (2.0,) * 4, (2.0,) * 4, (1.0,) * 4)},
            'stage 0 to 1: all-red of 2 s is shorter than link 0 needs: 3 s',
        ),
        ({'min_walk_s': (0.0, 7.0, 0.0, 0.0)}, 'stage 0: min green 5 s is shorter than its walk'),
        (
            {'links': walking(WEST), 'walk_clearance_s': (0.0, 0.0, 0.0, 9.0)},
            'stage 2 to 0: pedestrian clearance of 5 s is shorter than link 3 needs: 9 s',
        ),
        ({'walk_clear_s': ((0.0,) * 3,) * 2}, 'walk_clear_s must be 3 x 3'),
        ({'max_red_s': 29.0}, 'max_red_s = 29 cannot be kept; .* takes 30 s'),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused_with_the_reason(changes, words):
    with pytest.raises(SignalPlanError, match=words) as refused:
        crossing(**changes)
    assert "junction 'crossing'" in str(refused.value)


def test_the_shortest_maximum_red_that_can_be_kept_is_accepted():
    assert crossing(max_red_s=30.0).max_red_s == crossing().round_s() == 30.0


def test_a_movement_loses_green_when_the_next_stage_takes_it_or_its_protection():
    plan = crossing()
    assert plan.losing(STRAIGHTS, LAGGING_LEFT) == [NORTH]
    assert plan.losing(STRAIGHTS, CROSS_STREET) == [NORTH, SOUTH, LEFT]
    assert plan.losing(LAGGING_LEFT, STRAIGHTS) == [LEFT]  # protected turns permissive
    assert plan.losing(CROSS_STREET, STRAIGHTS) == [WEST]
    assert plan.losing(STRAIGHTS, STRAIGHTS) == []
    assert crossing(protected_turn_clears=False).losing(LAGGING_LEFT, STRAIGHTS) == []


def test_between_stages_each_link_shows_the_weaker_of_its_rights():
    plan = crossing()
    assert plan.clearance_lamps(STRAIGHTS, LAGGING_LEFT, 'y') == 'yGgr'
    assert plan.clearance_lamps(STRAIGHTS, LAGGING_LEFT, 'r') == 'rGgr'
    assert plan.clearance_lamps(LAGGING_LEFT, STRAIGHTS, 'y') == 'rGyr'
    assert plan.clearance_lamps(CROSS_STREET, STRAIGHTS, 'r') == 'rrrr'


def test_links_that_the_own_program_clears_between_two_greens_lose_theirs():
    plan = crossing(also_clears=((STRAIGHTS, LAGGING_LEFT, (SOUTH,)),))
    assert plan.losing(STRAIGHTS, LAGGING_LEFT) == [NORTH, SOUTH]
    assert plan.losing(LAGGING_LEFT, STRAIGHTS) == [LEFT]


def test_cycle_clearances_and_cover_are_worked_out_by_hand():
    plan = crossing()
    assert plan.intergreen_s(STRAIGHTS, CROSS_STREET) == 5.0
    assert plan.entering_s(STRAIGHTS) == 5.0
    assert plan.cycle_s() == 30 + 10 + 20 + 3 * 5
    assert plan.cover_stages() == {STRAIGHTS: (NORTH, SOUTH, LEFT), CROSS_STREET: (WEST,)}
    assert plan.round_s() == (5 + 5) + 2 * (5 + 5)


@pytest.mark.parametrize(
    'damage',
    [
        lambda data: data.pop('stages'),
        lambda data: data.update(colour='red'),
        lambda data: data['links'][0].pop('direction'),
        lambda data: data['stages'][0].update(extra=1),
        lambda data: data.update(foes=None),
    ],
)
def test_json_that_is_no_plan_is_refused(damage):
    data = crossing().to_json()
    data = {**data, 'links': [dict(x) for x in data['links']]}
    data['stages'] = [dict(x) for x in data['stages']]
    damage(data)
    with pytest.raises(SignalPlanError, match='not a signal plan'):
        SignalPlan.from_json(data)


def other_plans() -> dict[str, SignalPlan]:
    """Return the crossing with one field changed, for every field."""
    plan = crossing()
    longer = tuple(tuple(s and s + 1 for s in row) for row in plan.yellow_s)
    more_red = tuple(tuple(s and s + 1 for s in row) for row in plan.all_red_s)
    return {
        'junction_id': crossing(junction_id='other'),
        'clearance': crossing(clearance='net'),
        'links': crossing(links=(replace(plan.links[0], crossing_m=25.1), *plan.links[1:])),
        'stages': crossing(stages=(replace(plan.stages[0], max_green_s=61.0), *plan.stages[1:])),
        'foes': crossing(
            foes=matrix(4, [(n, WEST) for n in range(3)] + [(WEST, n) for n in range(3)])
        ),
        'yields': crossing(yields=((False, True, False, False), *plan.yields[1:])),
        'min_yellow_s': crossing(min_yellow_s=(2.0, 3.0, 3.0, 4.0)),
        'min_red_s': crossing(min_red_s=((1.0,) * 4, *plan.min_red_s[1:])),
        'yellow_s': crossing(yellow_s=longer),
        'all_red_s': crossing(all_red_s=more_red),
        'walk_clear_s': crossing(walk_clear_s=((0.0, 5.0, 5.0), (0.0,) * 3, (0.0,) * 3)),
        'min_walk_s': crossing(min_walk_s=(0.0, 0.0, 0.0, 4.0)),
        'walk_clearance_s': crossing(walk_clearance_s=(9.0, 0.0, 0.0, 0.0)),
        'max_red_s': crossing(max_red_s=241.0),
        'program': crossing(program=(ProgramInterval(stage_index=0, green_s=31.0),)),
        'offset_s': crossing(offset_s=1.0),
        'protected_turn_clears': crossing(protected_turn_clears=False),
        'also_clears': crossing(also_clears=((0, 1, (SOUTH,)),)),
    }


def test_a_change_of_any_field_changes_the_fingerprint():
    others = other_plans()
    assert set(others) == {field.name for field in fields(SignalPlan)}
    prints = {name: plan.fingerprint() for name, plan in others.items()}
    assert crossing().fingerprint() not in prints.values()
    assert len(set(prints.values())) == len(prints)


def test_equal_plans_have_equal_fingerprints_also_after_json():
    assert crossing().fingerprint() == crossing().fingerprint()
    assert SignalPlan.from_json(crossing().to_json()).fingerprint() == crossing().fingerprint()
