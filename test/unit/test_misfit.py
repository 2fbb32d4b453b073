"""What keeps a policy from deciding for a street: named, whatever bridge says it."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from small import crossing, crossing_readings, crossing_spec

from saferl_ros.bag.street import READING_ARRAYS
from saferl_ros.ros.misfit import misfit

PLAN, SPEC = crossing(), crossing_spec()
BUNDLE = SimpleNamespace(
    plan=PLAN,
    spec=SPEC,
    manifest=SimpleNamespace(
        junction_id=PLAN.junction_id,
        plan_fingerprint=PLAN.fingerprint(),
        spec_fingerprint=SPEC.fingerprint(),
    ),
)


def said(state: dict[str, Any] | None = None, readings: dict[str, Any] | None = None) -> str:
    of_state = {
        'junction_id': PLAN.junction_id,
        'plan_fingerprint': PLAN.fingerprint(),
        'run_id': 'a',
        'stage': 0,
        'legal_stages': [True, True, True],
        'since_served_s': [0.0, 10.0, 20.0],
    }
    of_readings = {name: getattr(crossing_readings(), name) for name in READING_ARRAYS}
    of_readings['spec_fingerprint'] = SPEC.fingerprint()
    return misfit(
        BUNDLE,
        SimpleNamespace(**{**of_state, **(state or {})}),
        SimpleNamespace(**{**of_readings, **(readings or {})}),
    )


def test_a_street_that_says_all_that_the_bundle_needs_fits():
    assert said() == ''


@pytest.mark.parametrize(
    ('state', 'words'),
    [
        ({'plan_fingerprint': 'x'}, 'the bundle is for signal plan .*, the street has x'),
        ({'run_id': ''}, 'empty run_id'),
        ({'legal_stages': [True, True]}, r'legal_stages has 2 values, the bundle has 3 stages'),
        ({'since_served_s': []}, 'since_served_s has 0 values, the bundle has 3 stages'),
        ({'stage': 9}, 'stage is 9, the bundle has 3 stages'),
        ({'legal_stages': [False] * 3}, 'no legal stage'),
    ],
)
def test_what_a_state_lacks_is_named(state, words):
    assert re.search(words, said(state))


@pytest.mark.parametrize(
    ('name', 'n', 'of'), [('queue_veh', 4, 'lanes'), ('advance_count_veh', 1, 'approaches')]
)
def test_readings_of_another_number_of_detectors_are_named(name, n, of):
    found = said(readings={name: [0.0] * (n + 1)})
    assert found == f'detectors.{name} has {n + 1} values, the bundle has {n} {of}'
