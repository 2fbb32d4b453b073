"""Under which conditions an evaluation judged, where they are easier than the usual ones."""

from __future__ import annotations

from typing import Any

from saferl_ros.evaluate.judge import EvaluateConfig

SHORTEST_S = 3600.0  # a usual demand


def easier_conditions(evaluation: dict[str, Any]) -> list[str]:
    """
    Return in words what made this evaluation easier to pass than one by default.

    Baselines that were tuned less, demands of a narrower range or a shorter time, and milder
    disturbances let through whom the gate's limits alone would not.
    """
    found = EvaluateConfig.model_validate(evaluation['config'])
    usual = EvaluateConfig()
    words = []

    def name(key: str, value: object, default: object, *, is_easier: bool) -> None:
        if is_easier:
            words.append(f'evaluate.{key} {value} instead of {default}')

    tune, tuned = found.tune, usual.tune
    scales, default = len(tune.scales), len(tuned.scales)
    name('tune.scales of', scales, default, is_easier=scales < default)
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
    if found.degradation.demands:
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
    return words
