"""The parts of the benchmark page that are not of one map by our rules."""

from __future__ import annotations

from typing import Any

from kept import plans_words, scores_of, words

from saferl_ros.dataset.intervals import Interval

# delay [s/veh] in RESCO's own result files (Ault and Sharon, 2021): fixed time, max-pressure, and
# the best mean of ten episodes of IDQN, which learned online
RESCO = {
    'cologne1': (56.6, 65.9, 26.1),
    'cologne3': (46.4, 162.3, 24.0),
    'cologne8': (63.8, 47.7, 22.1),
    'ingolstadt1': (39.4, 23.6, 21.5),
    'ingolstadt7': (91.3, 46.8, 31.2),
    'ingolstadt21': (133.1, 136.7, 59.6),
    'grid4x4': (None, 52.6, 33.0),
    'arterial4x4': (None, 952.8, 1168.0),
}


def resco_section(kept: dict[str, dict[str, Any]]) -> list[str]:
    """Return the table beside RESCO's published figures."""
    if not kept:
        return []
    lines = [
        "## By RESCO's rules",
        '',
        "`resco` clearances, which no street should have, and each map's own demand, ten runs "
        'with different drivers. Published: fixed time, max-pressure, and IDQN at the best ten '
        'episodes of its learning curve (Ault and Sharon, "Reinforcement Learning Benchmarks for '
        'Traffic Signal Control", 2021). Methods differ: RESCO simulates with SUMO 1.9, decides '
        'at fixed intervals, learns online by exploring on the very demand that it reports, and '
        'reports the best point of its curve; here SUMO is newer, decisions fall when a stage '
        'may change, nothing is explored, demand is resampled for learning, and every training '
        'seed is its last checkpoint. Collisions, and vehicles that SUMO took out of a jam '
        '(teleports), are counted over all runs of all training seeds, beside those of as many '
        'under `net_plan`; no gate passes here, and none should.',
        '',
        '| map | CQL by training seed [s/veh] | IDQN, published | | max-pressure, published | '
        'fixed time, published | net_plan here | max-pressure here | collisions | teleports |',
        '|---' * 10 + '|',
    ]
    cautions = {name: plans_words(f'{name}_resco', one) for name, one in kept.items()}
    for name, one in kept.items():
        evaluation = one['evaluation']
        seeds = scores_of(evaluation, 'cql').mean(axis=1)
        fixed, pressure, idqn = ('–' if v is None else f'{v:.1f}' for v in RESCO[name])
        best = RESCO[name][2]
        verdict = 'all at or below' if best is not None and seeds.max() <= best else 'not all'
        lines.append(
            f'| {name}{" †" if cautions[name] else ""} | '
            f'{", ".join(f"{value:.1f}" for value in seeds)} | {idqn} | {verdict} | '
            f'{pressure} | {fixed} | {scores_of(evaluation, "net_plan").mean():.1f} | '
            f'{scores_of(evaluation, "max_pressure").mean():.1f} | '
            + ' | '.join(beside_net_plan(evaluation, m) for m in ('collisions', 'teleports'))
            + ' |'
        )
    lines += [f'\n†{words}' for words in sorted(set(cautions.values())) if words]
    missing = [name for name in RESCO if name not in kept]
    if missing:
        lines += ['', f'Not run yet: {", ".join(missing)}.']
    return [*lines, '']


def beside_net_plan(evaluation: dict[str, Any], metric: str) -> str:
    """Return how often something happened under CQL, and in as many hours under ``net_plan``."""
    ours, theirs = (scores_of(evaluation, name, metric) for name in ('cql', 'net_plan'))
    return f'{ours.sum():.0f} ({theirs.sum() * len(ours):.0f})'


def zero_shot_section(kept: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
    """Return the tables of junctions that a shared policy never saw, one for each set of maps."""
    if not kept:
        return []
    lines = [
        '## Junctions never seen',
        '',
        'One shared network, learned with the junction left out (`benchmarks/zero_shot.py`), '
        'serves it alone; all others keep their own programs. Delay of the whole network over '
        "that with the junction's own plan as it stands (`net_plan`), and with complete "
        'clearances (`own_plan`).',
        '',
    ]
    for name, found in kept.items():
        than_own, than_net = (
            sum(one[key]['mean'] < 1 for one in found.values())
            for key in ('over_own_plan', 'over_net_plan')
        )
        lines += [
            f'Learned from {name}: better than `net_plan` at {than_net} of {len(found)} '
            f'junctions, than `own_plan` at {than_own}.',
            '',
            '| map | junction | ÷ net_plan | ÷ own_plan |',
            '|---' * 4 + '|',
        ]
        for junction_id, one in found.items():
            ratios = ' | '.join(
                words(Interval(**one[key]), 2) for key in ('over_net_plan', 'over_own_plan')
            )
            lines.append(f'| {one["scenario"]} | {junction_id} | {ratios} |')
        lines.append('')
    return lines


def ranking_section(kept: dict[str, Any]) -> list[str]:
    """Return how well off-policy evaluation ranked policies, and what it was worth."""
    if not kept:
        return []
    values, delays = kept['values'], kept['delays_s']
    by_value = sorted(values, key=lambda name: -values[name])
    by_delay = sorted(delays, key=delays.__getitem__)
    by_steps = sorted((int(steps), rho) for steps, rho in kept['rho_by_steps'].items())
    return [
        '## Ranking without simulating',
        '',
        f'`make ranking`: {len(values)} policies of {kept["scenario"]}, from good to ruined by '
        'too few steps or too much conservatism, valued by fitted Q evaluation on held-out '
        "episodes and simulated. Spearman's rank correlation is "
        f'{words(Interval(**kept["rho"]), 2)}. The policy that it values most loses '
        f'{delays[by_value[0]]:.1f} s a vehicle, the one it values least '
        f'{delays[by_value[-1]]:.1f}; the best of all loses {delays[by_delay[0]]:.1f}, the worst '
        f'{delays[by_delay[-1]]:.1f}. Among policies trained for equally long: '
        + ', '.join(f'{rho:.2f} ({steps} steps)' for steps, rho in by_steps)
        + '.',
        '',
    ]
