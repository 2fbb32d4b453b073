"""What the rules are called in words, wherever a person reads of them."""

from __future__ import annotations

RULE_WORDS = {  # every rule of the conflict monitor, and what only a check can find
    'conflicting_greens': 'conflicting greens',
    'short_green': 'green too short',
    'short_yellow': 'yellow too short',
    'missing_yellow': 'no yellow after green',
    'short_all_red': 'all-red missing or too short',
    'short_walk': 'walk too short',
    'short_walk_clearance': 'pedestrian clearance missing or too short',
    'no_walk': 'never any walk',
    'turn_beside_walk': 'turn beside a walk that shares with nobody',
    'red_failure': 'no indication',
    'long_green': 'green too long',
    'long_red': 'red too long',
}
