"""Says what a record can teach, before anyone learns from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from saferl_ros.dataset.intervals import ratio_interval
from saferl_ros.dataset.schema import Episode, Record
from saferl_ros.env.cost import COST_NAMES
from saferl_ros.errors import DatasetError
from saferl_ros.signals import SignalPlan

ELAPSED_BIN_S = 5.0
CUT_OFF = 0.1  # share of a stage's greens that bounds may end before it is worth a word
BUDGET = 1.05  # the usual limit on the price of the data
RARE = 20  # fewer samples than this of a legal choice is thin


def quality(record: Record) -> dict[str, Any]:
    """
    Return the quality report of a record as JSON-ready data.

    ``price`` is the mean delay of recorded hours over that of the own plan on the same demands
    with the same clearances. ``effective_size`` is Kish's size of the sample once every decision
    weighs 1 / its behaviour probability: how many equally likely decisions it is worth.

    :raises DatasetError: if the record holds no behaviour.
    """
    episodes = record.behaviour()
    if not episodes:
        raise DatasetError('the record holds no behaviour episodes')
    weights = 1.0 / np.concatenate([e.behaviour_prob for e in episodes]).clip(1e-6)
    decisions = _decisions(episodes)
    n_stages = record.plan.n_stages
    scales = [e.demand['scale'] for e in episodes]
    returns = [float(e.reward.sum()) for e in episodes]
    costs = np.sum([e.cost.sum(axis=0) for e in episodes], axis=0)
    thin = _thin(decisions, n_stages)
    report = {
        'junction_id': record.plan.junction_id,
        'scenario': record.manifest['scenario']['name'],
        'plan_fingerprint': record.plan.fingerprint(),
        'family': record.manifest['family'],
        'n_episodes': len(episodes),
        'n_own_plan_episodes': len(record.own_plan()),
        'hours': sum(float(e.elapsed_s.sum()) for e in episodes) / 3600,
        'n_decisions': int(sum(map(len, episodes))),
        'n_changes': int(sum(int((e.applied_stage != e.stage[:-1]).sum()) for e in episodes)),
        'effective_size': float(weights.sum() ** 2 / (weights**2).sum()),
        'price': price(record),
        'budget': record.manifest.get('budget') or BUDGET,
        'searched_price': _searched_price(record),
        'demand_scale': {'min': min(scales), 'max': max(scales)},
        'n_surges': sum(e.demand.get('surge') is not None for e in episodes),
        'return': {
            'mean': float(np.mean(returns)),
            'std': float(np.std(returns)),
            'min': min(returns),
            'max': max(returns),
        },
        'cost': dict(zip(COST_NAMES, map(float, costs), strict=True)),
        'follows': follows(episodes, n_stages),
        'follows_by_queue': _follows_by_queue(record, episodes),
        'coverage': [
            {
                'stage': stage,
                'elapsed_s': elapsed * ELAPSED_BIN_S,
                'action': action,
                'count': count,
            }
            for (stage, elapsed, action), count in sorted(decisions.items())
        ],
        'green_ends': _green_ends(episodes, record.plan),
        'thin': thin,
    }
    report['warnings'] = warnings(report)
    return report


def notes_of(reports: Sequence[dict[str, Any]]) -> list[str]:
    """Return the warnings of a network's reports, each with its junctions unless all have it."""
    junctions: dict[str, list[str]] = {}
    for report in reports:
        for warning in report['warnings']:
            junctions.setdefault(warning, []).append(str(report['junction_id']))
    return [
        warning if len(of) == len(reports) else f'junction {", ".join(of)}: {warning}'
        for warning, of in junctions.items()
    ]


def price(record: Record) -> dict[str, float] | None:
    """Return the price of the data with its interval, ``None`` without hours of the own plan."""
    own = {e.demand['seed']: e.metrics['delay_s'] for e in record.own_plan() if e.metrics}
    pairs = [
        (e.metrics['delay_s'], own[e.demand['seed']])
        for e in record.behaviour()
        if e.demand['seed'] in own
    ]
    if not pairs:
        return None
    ours, theirs = zip(*pairs, strict=True)
    return {**asdict(ratio_interval(ours, theirs)), 'n_pairs': float(len(pairs))}


def _decisions(episodes: list[Episode]) -> Counter[tuple[int, int, int]]:
    """Count (stage, elapsed bin, applied stage)."""
    found: Counter[tuple[int, int, int]] = Counter()
    for e in episodes:
        bins = (e.green_elapsed_s[:-1] / ELAPSED_BIN_S).astype(int)
        found.update(
            zip(e.stage[:-1].tolist(), bins.tolist(), e.applied_stage.tolist(), strict=True)
        )
    return found


def follows(episodes: list[Episode], n_stages: int) -> list[list[int]]:
    """Return how often each stage (row) was followed by each other (column)."""
    table = np.zeros((n_stages, n_stages), dtype=int)
    for e in episodes:
        changed = e.applied_stage != e.stage[:-1]
        np.add.at(table, (e.stage[:-1][changed], e.applied_stage[changed]), 1)
    counts: list[list[int]] = table.tolist()
    return counts


def _follows_by_queue(record: Record, episodes: list[Episode]) -> dict[str, list[list[int]]]:
    """Return ``follows`` for short, medium and long queues apart (terciles of the total queue)."""
    names = [feature.name for feature in record.spec.features()]
    columns = [n for n, name in enumerate(names) if name.endswith('_queue')]
    queues = [e.observations[:-1, columns].sum(axis=1) for e in episodes]
    low, high = np.quantile(np.concatenate(queues), [1 / 3, 2 / 3])
    n_stages = record.plan.n_stages
    tables = {
        name: np.zeros((n_stages, n_stages), dtype=int) for name in ('short', 'medium', 'long')
    }
    for e, queue in zip(episodes, queues, strict=True):
        changed = e.applied_stage != e.stage[:-1]
        for name, selected in (
            ('short', queue <= low),
            ('medium', (queue > low) & (queue <= high)),
            ('long', queue > high),
        ):
            rows = changed & selected
            np.add.at(tables[name], (e.stage[:-1][rows], e.applied_stage[rows]), 1)
    return {name: table.tolist() for name, table in tables.items()}


def _thin(decisions: Counter[tuple[int, int, int]], n_stages: int) -> list[dict[str, float]]:
    """Return the choices that were made rarely, of each stage the one to keep it included."""
    changes: Counter[tuple[int, int]] = Counter()
    for (stage, _, action), count in decisions.items():
        changes[stage, action] += count
    return [
        {'stage': a, 'action': b, 'count': changes[a, b]}
        for a in range(n_stages)
        for b in range(n_stages)
        if changes[a, b] < RARE
    ]


def _green_ends(episodes: list[Episode], plan: SignalPlan) -> list[dict[str, Any]]:
    """
    Return how the greens of each stage ended: how many, how many by a bound, at which lengths.

    A green that a bound ended, which is the maximum green unless somebody waited too long, has
    lasted as long as that allowed; it counts as one length more.
    """
    rows = []
    for stage, bounds in enumerate(plan.stages):
        n_asked = n_forced = 0
        lengths: set[float] = set()
        for e in episodes:
            shows = e.stage[:-1] == stage
            is_asked = shows & (e.applied_stage != stage)
            is_forced = shows & ~is_asked & (e.stage[1:] != stage)
            n_asked, n_forced = n_asked + int(is_asked.sum()), n_forced + int(is_forced.sum())
            lengths |= set(e.green_elapsed_s[:-1][is_asked].round().tolist())
        rows.append(
            {
                'stage': stage,
                'n': n_asked + n_forced,
                'n_forced': n_forced,
                'n_lengths': len(lengths) + (n_forced > 0),
                'max_green_s': bounds.max_green_s,
            }
        )
    return rows


def _searched_price(record: Record) -> float | None:
    """Return what the recorded family cost on the demands of the search; None without one."""
    trials = record.manifest.get('search')
    return float(trials[-1]['price']['mean']) if trials else None


def _way_to_a_lower_price(report: dict[str, Any]) -> str:
    searched = report['searched_price']
    if searched is None:
        return "narrow the ranges of the family, or let 'saferl record --budget' search"
    if searched > report['budget']:
        return 'narrow the ranges of the family; the search found none cheaper on its demands'
    return (
        f'on the few demands of the search it was {searched:.2f}; search with a lower budget for '
        'a margin'
    )


def warnings(report: dict[str, Any]) -> list[str]:
    """Return, in words, what the data cannot support or cost too much."""
    found = []
    if report['price'] is None:
        if report['family']['plans'] != 'net':  # the own plan costs nothing more than itself
            found.append('the own plan was not recorded, so the price of the data is unknown')
    elif report['price']['mean'] > report['budget']:
        found.append(
            f"the data cost {report['price']['mean']:.2f} of the own plan's delay, above the "
            f'budget of {report["budget"]:g}: {_way_to_a_lower_price(report)}'
        )
    if report['hours'] < 20:
        found.append(
            f'{report["hours"]:.3g} h are little: 50 h or more taught well in our studies'
        )
    never = [t for t in report['thin'] if t['count'] == 0 and t['stage'] != t['action']]
    if never:
        pairs = ', '.join(f'{t["stage"]}→{t["action"]}' for t in never)
        found.append(
            f'changes never made: {pairs}; a policy that makes them extrapolates, which '
            'conservatism restrains but does not forbid'
        )
    if report['family']['plans'] != 'net':
        found += _about_greens(report['green_ends'])
    if report['n_changes'] and report['effective_size'] < 0.05 * report['n_decisions']:
        found.append('few decisions carry most of the weight: the behaviour is nearly fixed')
    return found


def _about_greens(ends: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with the greens: cut off by a bound, or all alike."""
    found = [
        f'stage {row["stage"]}: {row["n_forced"] / row["n"]:.0%} of its greens were ended by a '
        f'bound, which is the maximum green of {row["max_green_s"]:g} s unless somebody waited '
        'too long; state a longer one (max_green_s in --signals), or a green_scale that leaves '
        'room below it'
        for row in ends
        if row['n'] and row['n_forced'] > CUT_OFF * row['n']
    ]
    same = [row['stage'] for row in ends if row['n_lengths'] == 1]
    if same:
        found.append(
            f'stage{"s" if len(same) > 1 else ""} {", ".join(map(str, same))}: the green was '
            'always as long, so nothing is learned of longer or shorter ones; see main_shift_s '
            'and minor_shift_s of the family'
        )
    return found
