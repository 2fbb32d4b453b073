"""Registers the built-in scenarios with Gymnasium."""

from __future__ import annotations

import gymnasium

from saferl_ros.scenario.catalogue import CATALOGUE


def register_envs() -> None:
    """Register ``saferl/<scenario>-v0`` for every built-in scenario.

    Gymnasium calls this by itself through the package's entry point, so
    ``gymnasium.make('saferl/cologne1-v0')`` works without importing this package. Scenarios with
    several signals want ``junction_id=...``.
    """
    for name in CATALOGUE:
        gymnasium.register(
            id=f'saferl/{name}-v0',
            entry_point='saferl_ros.env.intersection:IntersectionEnv',
            kwargs={'scenario': name},
            order_enforce=True,
        )
