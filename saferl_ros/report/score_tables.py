"""Tables of the evaluation: comparison, safety, gate, tuning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saferl_ros.report.readable import count, Estimate, NOT_KNOWN, number
from saferl_ros.report.run_folder import Verdict
from saferl_ros.report.scores import ControllerScore, REFERENCES, Scores, Tuning
from saferl_ros.report.table import Row, Table
from saferl_ros.signals.rules import RULE_WORDS
from saferl_ros.sumo.simulation import CONFLICT_SHARE, PET_S, TTC_S

# control delay [s/veh] up to which a letter holds at a signalised junction; Highway Capacity
# Manual, 6th edition, exhibit 19-8
_LEVELS_OF_SERVICE = ((10.0, 'A'), (20.0, 'B'), (35.0, 'C'), (55.0, 'D'), (80.0, 'E'))

_PARAMETERS = {
    'max_gap_s': 'gap that ends a green {} s',
    'detector_gap_s': 'detectors {} s before the stop line',
    'max_green_s': 'longest green {} s',
    'min_hold_s': 'holds a stage for at least {} s',
    'green_scale': 'own greens times {}',
    'tilt_s': 'first main green longer by {} s, the others shorter',
    'margin_veh': 'changes for a gain of more than {} vehicles',
}


def level_of_service(delay_s: float) -> str:
    """
    Return the level of service of a signalised junction, ``A`` to ``F``.

    :param delay_s: control delay [s per vehicle].
    """
    return next((letter for limit_s, letter in _LEVELS_OF_SERVICE if delay_s <= limit_s), 'F')


def comparison_table(scores: Scores, colours: Mapping[str, str]) -> Table:
    """Return everything about how traffic fared."""
    references = [name for name in REFERENCES if scores.find(name)]
    return Table(
        name='comparison',
        caption=f'Means over {len(scores.demands)} demands that no policy learned from and no '
        'baseline was tuned on; 95 % intervals in brackets.',
        columns=(
            'controller',
            'delay [s/veh]\n(95 % interval)',
            'level of\nservice',
            *(f'delay ÷\n{name}' for name in references),
            'travel\ntime [s]',
            'waiting\n[s]',
            'stops',
            'queue\n[veh]',
            'throughput\n[veh]',
            'CO2\n[g/veh]',
        ),
        rows=tuple(_comparison_row(c, references, colours) for c in scores.controllers),
    )


def _comparison_row(c: ControllerScore, references: list[str], colours: Mapping[str, str]) -> Row:
    delay = c.metrics['delay_s'].estimate

    def ratio(other: str) -> str:
        if other == c.name:
            return '1'
        found = c.delay_over.get(other)
        return NOT_KNOWN if found is None else _two_lines(found, 2)

    return Row(
        head=c.name,
        colour=colours[c.name],
        mark='policy' if c.is_policy else '',
        cells=(
            _two_lines(delay, 1),
            level_of_service(delay.mean),
            *map(ratio, references),
            number(c.metrics['travel_time_s'].estimate.mean),
            number(c.metrics['waiting_s'].estimate.mean),
            number(c.metrics['stops'].estimate.mean, 2),
            number(c.metrics['queue_veh'].estimate.mean),
            count(c.metrics['throughput_veh'].estimate.mean),
            count(round(c.metrics['co2_g'].estimate.mean)),
        ),
    )


def _two_lines(found: Estimate, digits: int) -> str:
    """Return the mean above its interval, so that the table stays narrow."""
    return f'{number(found.mean, digits)}\n({found.interval(digits)})'


def safety_table(scores: Scores, colours: Mapping[str, str]) -> Table:
    """Return every safety event, summed over the demands."""
    n = len(scores.demands)
    return Table(
        name='safety',
        caption=f'Sums over {n} demands; the longest wait is the worst of all of them. '
        f'A near miss is a time to collision below {TTC_S:g} s or a post-encroachment time below '
        f'{PET_S:g} s (SUMO, {CONFLICT_SHARE:.0%} of the vehicles watch).',
        columns=(
            'controller',
            'monitor\nfaults',
            'by rule',
            'shield\nvetoes',
            'under\nfallback',
            'starved',
            'emergency\nbrakings',
            'collisions',
            'teleports',
            'longest\nwait [s]',
            'near misses\nper 1000 veh',
        ),
        rows=tuple(
            Row(
                head=c.name,
                colour=colours[c.name],
                mark='policy' if c.is_policy else '',
                cells=(
                    *(
                        count(c.metrics['monitor_faults'].total),
                        faults_in_words(c.faults) or 'none',
                    ),
                    count(c.metrics['shield_vetoes'].total),
                    f'{c.metrics["fallback_share"].estimate.mean:.1%}',
                    *(
                        count(c.metrics[metric].total)
                        for metric in ('starved', 'emergency_brakings', 'collisions', 'teleports')
                    ),
                    count(c.metrics['max_wait_s'].worst),
                    count(round(c.metrics['conflicts'].estimate.mean)),
                ),
            )
            for c in scores.controllers
        ),
    )


def pedestrian_table(scores: Scores, colours: Mapping[str, str]) -> Table | None:
    """Return what pedestrians met, ``None`` where nobody walks."""
    if not any(c.metrics['pedestrians'].total for c in scores.controllers):
        return None
    return Table(
        name='pedestrians',
        caption='Pedestrians over all demands: what they lost against walking freely, how long '
        'they stood, and the longest that one of them stood.',
        columns=(
            'controller',
            'pedestrians',
            'delay\n[s]',
            'standing\n[s]',
            'longest\nwait [s]',
        ),
        rows=tuple(
            Row(
                head=c.name,
                colour=colours[c.name],
                mark='policy' if c.is_policy else '',
                cells=(
                    count(c.metrics['pedestrians'].total),
                    c.metrics['pedestrian_delay_s'].estimate.text(),
                    c.metrics['pedestrian_waiting_s'].estimate.text(),
                    count(c.metrics['max_pedestrian_wait_s'].worst),
                ),
            )
            for c in scores.controllers
        ),
    )


def faults_in_words(faults: Mapping[str, int]) -> str:
    """Return the broken rules with their counts."""
    return ', '.join(f'{RULE_WORDS.get(rule, rule)} {count(n)}' for rule, n in faults.items() if n)


def gate_table(verdict: Verdict) -> Table:
    """Return the gate's checks."""
    return Table(
        name='gate-checks',
        caption=f'Every limit must hold for {verdict.controller} to pass.',
        columns=('check', 'result', 'found', 'limit', 'in words'),
        rows=tuple(
            Row(
                head=check.name,
                mark='pass' if check.passed else 'fail',
                cells=(
                    'pass' if check.passed else 'FAIL',
                    f'{check.found:.4g}',
                    f'{check.limit:g}',
                    check.reason,
                ),
            )
            for check in verdict.checks
        ),
        is_text=True,
    )


def tuning_table(tunings: tuple[Tuning, ...], colours: Mapping[str, str]) -> Table:
    """Return how the baselines were tuned."""
    return Table(
        name='tuning',
        caption='Every candidate ran on the first tuning demand, or on the first part of it; the '
        'finalists ran on the whole of all of them, and the lowest mean delay won.',
        columns=(
            'baseline',
            'candidates',
            'finalists',
            'demand scales',
            'delay of the winner [s/veh]',
            'of the worst finalist',
            'what won',
        ),
        rows=tuple(
            Row(
                head=tuning.name,
                colour=colours.get(tuning.name, ''),
                cells=(
                    count(tuning.n_candidates),
                    count(tuning.n_finalists),
                    ', '.join(f'{scale:g}' for scale in tuning.scales),
                    number(tuning.mean_delay_s),
                    number(tuning.worst_finalist_delay_s),
                    parameters_in_words(tuning.parameters),
                ),
            )
            for tuning in tunings
        ),
        is_text=True,
    )


def parameters_in_words(parameters: Any) -> str:
    """Return the parameters that a baseline was tuned to, for people."""
    if isinstance(parameters, list):
        return ', '.join(f'stage {stage}: {green_s:g} s' for stage, green_s in parameters)
    words = []
    for name, value in dict(parameters).items():
        if name == 'halting_only':
            words.append(f'counts {"standing" if value else "all"} vehicles')
        elif name == 'swaps':
            words.append('each left on the other side of its main movement')
        elif name == 'sees_upstream':
            words += ['sees the road that leads to a short approach too'] if value else []
        else:
            text = f'{value:g}' if isinstance(value, int | float) else str(value)
            words.append(_PARAMETERS.get(name, f'{name} {{}}').format(text))
    return ', '.join(words)
