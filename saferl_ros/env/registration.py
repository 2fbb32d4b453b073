"""
Registers ``saferl/<scenario>-v0`` with Gymnasium for every built-in scenario.

Importing this module registers them, as Gymnasium's own packages do since version 1.0::

    import gymnasium
    import saferl_ros.env.registration

    env = gymnasium.make('saferl/cologne1-v0')

or in one go ``gymnasium.make('saferl_ros.env.registration:saferl/cologne1-v0')``. Scenarios with
several signals want ``junction_id=...``; for all signals together see ``env.network.NetworkEnv``.
"""

from __future__ import annotations

import gymnasium

from saferl_ros.scenario.catalogue import CATALOGUE


def _register() -> None:
    for name in CATALOGUE:
        gymnasium.register(
            id=f'saferl/{name}-v0',
            entry_point='saferl_ros.env.intersection:IntersectionEnv',
            kwargs={'scenario': name},
        )


_register()
