"""One colour per controller, the same in every plot; apart also for colour-blind readers."""

from __future__ import annotations

import re

# Okabe and Ito, "Color Universal Design" (2008), greys for plans that do not look at traffic
_COLOURS = {
    'net_plan': '#3a3f47',
    'own_plan': '#7d8590',
    'best_plan': '#b08900',
    'behaviour': '#b9bfc7',
    'actuated': '#0072b2',
    'max_pressure': '#009e73',
    'bc': '#cc79a7',
    'cql': '#d55e00',
    'dqn': '#56b4e9',
}
_OTHERS = ('#6a51a3', '#8c564b', '#17798a', '#a6761d', '#9e2a2b')


def algorithm_and_seed(name: str) -> tuple[str, int]:
    """Return what a bundle's name says: ``cql_2`` is the second training seed of ``cql``."""
    found = re.fullmatch(r'(.+)_(\d+)', name)
    return (found[1], int(found[2])) if found else (name, 1)


def colours(names: list[str]) -> dict[str, str]:
    """Return the colour of each controller; further seeds of an algorithm are lighter."""
    found: dict[str, str] = {}
    n_others = 0
    for name in names:
        algorithm, seed = algorithm_and_seed(name)
        if name in _COLOURS:
            found[name] = _COLOURS[name]
        elif algorithm in _COLOURS:
            found[name] = _lighter(_COLOURS[algorithm], min(0.6, 0.25 * (seed - 1)))
        else:
            found[name] = _OTHERS[n_others % len(_OTHERS)]
            n_others += 1
    return found


def _lighter(colour: str, share: float) -> str:
    """Mix a colour with white."""
    channels = (int(colour[n : n + 2], 16) for n in (1, 3, 5))
    return '#' + ''.join(f'{round(c + (255 - c) * share):02x}' for c in channels)
