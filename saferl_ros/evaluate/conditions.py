"""Under which conditions an evaluation judged, where they are easier than the usual ones."""

from __future__ import annotations

from typing import Any

from saferl_ros.evaluate.judge import EvaluateConfig

SHORTEST_S = 3600.0  # a usual demand
FEWEST_RESAMPLED = 5  # demands that are no copy of the scenario's own, and span the range
FEWEST_DISTURBED = 2  # demands under each disturbance: the mean of one is that one
TELEPORT_S = 300.0  # SUMO's own, and the longest wait that the gate allows


def easier_conditions(evaluation: dict[str, Any]) -> list[str]:
    """
    Return in words what made this evaluation easier to pass than one by default.

    Baselines that were tuned less, demands of a narrower range or a shorter time, and milder
    disturbances let through whom the gate's limits alone would not; so do rules by which lamps are
    less safe.
    """
    found = EvaluateConfig.model_validate(evaluation['config'])
    usual = EvaluateConfig()
    words = []

    def name(key: str, value: object, default: object, *, is_easier: bool) -> None:
        if is_easier:
            words.append(f'evaluate.{key} {value} instead of {default}')

    tune, tuned = found.tune, usual.tune
    is_easier = len(set(tune.scales)) < len(tuned.scales) or max(tune.scales) < max(tuned.scales)
    name('tune.scales', list(tune.scales), list(tuned.scales), is_easier=is_easier)
    for key in ('finalists', 'first_round'):
        value, default = getattr(tune, key), getattr(tuned, key)
        name(f'tune.{key}', value, default, is_easier=value < default)
    (low, high), (usual_low, usual_high) = found.scale_range, usual.scale_range
    name(
        'scale_range',
        f'{low:g} to {high:g}',
        f'{usual_low:g} to {usual_high:g}',
        is_easier=low > usual_low or high < usual_high,
    )
    name('seeds', found.seeds, usual.seeds, is_easier=found.seeds < FEWEST_RESAMPLED)
    if found.degradation.demands:
        n_disturbed = found.degradation.demands
        name(
            'degradation.demands',
            n_disturbed,
            FEWEST_DISTURBED,
            is_easier=n_disturbed < FEWEST_DISTURBED,
        )
        fewest = min(found.degradation.demand_scales, default=1.0)
        default_fewest = min(usual.degradation.demand_scales)
        name(
            'degradation.demand_scales from',
            fewest,
            default_fewest,
            is_easier=fewest > default_fewest,
        )
        for key in ('blind_shares', 'stuck_shares', 'demand_scales'):
            most = max(getattr(found.degradation, key), default=0.0)
            default_most = max(getattr(usual.degradation, key))
            name(f'degradation.{key} up to', most, default_most, is_easier=most < default_most)
        factor, default_factor = found.degradation.surge_factor, usual.degradation.surge_factor
        name('degradation.surge_factor', factor, default_factor, is_easier=factor < default_factor)
    scenario = evaluation['scenario']
    lasts_s = scenario['end_s'] - scenario['begin_s']
    if lasts_s < SHORTEST_S:
        words.append(f'demands of {lasts_s:g} s instead of an hour')
    teleport_s = scenario['time_to_teleport_s']
    if 0 < teleport_s < TELEPORT_S:
        words.append(f'waits cut off by SUMO at {teleport_s:g} s instead of {TELEPORT_S:g} s')
    if evaluation['clearance'] != 'legal':
        words.append(f"clearances '{evaluation['clearance']}' instead of 'legal'")
    return words
