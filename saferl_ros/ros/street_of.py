"""The street that policy bundles were made for, to be checked before any node starts."""

from __future__ import annotations

from collections.abc import Sequence

from saferl_ros.bundle.load import Bundle
from saferl_ros.env.junction import derive_junctions
from saferl_ros.errors import BundleError, UsageError
from saferl_ros.scenario import Scenario
from saferl_ros.sumo.settings import NO_SETTINGS, SignalSettings

DEFAULT_SCENARIO = 'cologne1'


def observation_of(bundles: Sequence[Bundle]) -> str:
    """
    Return what the street has to tell the policies.

    :raises UsageError: if they differ in that.
    """
    kinds = {bundle.spec.kind for bundle in bundles}
    if len(kinds) > 1:
        told = ', '.join(f"'{bundle.folder}': {bundle.spec.kind}" for bundle in bundles)
        raise UsageError(
            f'one street tells one observation, the bundles need several ({told}); '
            'give bundles of one run'
        )
    return kinds.pop()


def check_street(
    scenario: Scenario,
    bundles: Sequence[Bundle],
    *,
    clearance: str = 'legal',
    settings: SignalSettings = NO_SETTINGS,
) -> None:
    """
    Refuse bundles that would never decide on this street.

    :raises BundleError: if one is for a junction that is not there, or for another plan of it.
    """
    junctions = {
        junction.plan.junction_id: junction
        for junction in derive_junctions(
            scenario,
            clearance=clearance,
            observation=observation_of(bundles),
            settings=settings,
        )
    }
    for bundle in bundles:
        made_for = bundle.manifest
        if made_for.junction_id not in junctions:
            raise BundleError(
                f"bundle '{bundle.folder}' is for junction '{made_for.junction_id}' of scenario "
                f"'{made_for.scenario}'; scenario '{scenario.name}' has "
                f'{", ".join(list(junctions)[:8])}{" …" if len(junctions) > 8 else ""}: '
                'name the scenario that it was made for'
            )
        junction = junctions[made_for.junction_id]
        bundle.require(junction.plan, junction.spec)
