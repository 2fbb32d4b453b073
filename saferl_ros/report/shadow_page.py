"""The page of a recorded shadow run: one scoreboard a junction, in an agency's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, UTC
import math
from pathlib import Path
from typing import Any

import numpy as np

from saferl_ros.bag.scoreboard import GapKind, HourCount, JunctionScore
from saferl_ros.evaluate.shadow_value import ShadowValue
from saferl_ros.report.approaches import approach_labels, movements_in_words
from saferl_ros.report.figure import Figure, finite, layout
from saferl_ros.report.missing import Missing
from saferl_ros.report.page import write_page
from saferl_ros.report.readable import clock, count, counted, DAY_S, NOT_KNOWN, number
from saferl_ros.report.table import Row, Table
from saferl_ros.shield.decision import ShieldReason

QUANTILES = (0.5, 0.9, 0.99, 1.0)
GAPS_SHOWN = 30
PLOTTED_S = 600.0  # an hour with fewer readings says little
_EPOCH_S = 1e9  # a junction's time from here on counts from 1970, in UTC; below it is simulated
_HOUR_S = 3600.0
_BAR, _POINT = '#0072b2', '#3a3f47'

REASON_WORDS = {
    ShieldReason.POLICY.value: 'the request would have stood',
    ShieldReason.MASKED.value: 'the stage was not allowed at that moment',
    ShieldReason.NOT_FINITE.value: 'a score was no number',
    ShieldReason.WRONG_SHAPE.value: 'not one score per stage',
    ShieldReason.MALFORMED.value: 'not a request, or one without stage and scores',
    ShieldReason.OUT_OF_RANGE.value: 'there is no such stage',
    ShieldReason.SILENT.value: 'the policy failed or gave no answer in time',
    ShieldReason.STALE.value: 'the request came too late',
    ShieldReason.FROM_THE_FUTURE.value: 'the request was dated later than the state',
    ShieldReason.DUPLICATE.value: 'the number of the request was not new',
    ShieldReason.FLOOD.value: 'more requests than any policy needs',
    ShieldReason.RIVAL.value: 'two programs asked for one junction',
    ShieldReason.OUT_OF_DISTRIBUTION.value: 'traffic was unlike the recorded one',
    ShieldReason.CLOCK.value: 'the clock stood still or went back',
}
GAP_WORDS = {
    GapKind.STATES_MISSING: 'states missing',
    GapKind.NEW_RUN: 'the signal bridge began anew',
    GapKind.PAUSE: 'nothing was recorded',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowJunction:
    """One junction of the page."""

    score: JunctionScore
    value: ShadowValue | Missing  # the off-policy estimate
    has_bundle: bool  # so that the decision interval is the policy's own


def write_shadow_report(
    path: Path, name: str, junctions: Sequence[ShadowJunction], unfinished: Sequence[str]
) -> None:
    """
    Write one self-contained HTML page; an existing file is replaced when the new one is complete.

    :param name: of the recording.
    :param junctions: at least one.
    :param unfinished: segments whose recorder was killed.
    :raises MissingExtraError: if plotly or jinja2 is not installed.
    :raises UsageError: if the page cannot be written.
    """
    write_page('shadow.html', lambda: shadow_context(name, junctions, unfinished), path)


def shadow_context(
    name: str, junctions: Sequence[ShadowJunction], unfinished: Sequence[str]
) -> dict[str, Any]:
    """Return what the template shows."""
    parts = [_part(f'j{n}', junction) for n, junction in enumerate(junctions)]
    return {
        'name': name,
        'unfinished': unfinished,
        'junctions': parts,
        'figures': {
            part['figure'].name: {'data': part['figure'].data, 'layout': part['figure'].layout}
            for part in parts
        },
    }


def _part(prefix: str, junction: ShadowJunction) -> dict[str, Any]:
    score = junction.score
    n_compared, n_verdicts = score.total('n_compared'), score.total('n_verdicts')
    return {
        'prefix': prefix,
        'score': score,
        'value': junction.value,
        'has_bundle': junction.has_bundle,
        'hours': score.total('covered_s') / _HOUR_S,
        'facts': _facts(score),
        'gaps': _gap_table(prefix, score),
        'n_answers': int(score.total('n_answers')),
        'n_due': int(score.total('n_due')),
        'n_unanswered': int(score.total('n_unanswered')),
        'n_compared': int(n_compared),
        'agreed': share(score.total('n_agreed'), n_compared),
        'kept': share(
            n_compared - sum(s.n_incumbent_left for s in score.stages.values()), n_compared
        ),
        'stages': _stage_table(prefix, score),
        'n_vetoes': int(score.total('n_vetoes')),
        'n_verdicts': int(n_verdicts),
        'vetoed': share(score.total('n_vetoes'), n_verdicts),
        'reasons': _reason_table(prefix, score),
        'n_odd': int(score.total('n_out_of_distribution')),
        'odd': share(score.total('n_out_of_distribution'), score.total('n_answers')),
        'quantiles': _quantile_table(prefix, score),
        'standing': number(mean_standing_veh(list(score.hours.values()))),
        'figure': _standing_figure(prefix, score),
        'by_hour': _hour_table(prefix, score),
        'bundles': len({(algorithm, digest) for algorithm, digest, _ in score.policies}),
        'is_other_bundle': isinstance(junction.value, ShadowValue)
        and junction.value.bundle_sha256 not in {digest for _, digest, _ in score.policies},
    }


def share(part: float, whole: float) -> str:
    """Return a share in percent."""
    return f'{100 * part / whole:.1f} %' if whole else NOT_KNOWN


def mean_standing_veh(hours: Sequence[HourCount]) -> float:
    """Return the vehicles standing on the detectors, averaged over all readings."""
    read_s = sum(hour.read_s for hour in hours)
    return sum(hour.standing_veh_s for hour in hours) / read_s if read_s else math.nan


def moment(now_s: float) -> str:
    """Return a junction's time: a date in UTC, or day and time of day of a simulation."""
    if not math.isfinite(now_s):
        return NOT_KNOWN
    if now_s >= _EPOCH_S:
        return f'{datetime.fromtimestamp(now_s, UTC):%Y-%m-%d %H:%M:%S} UTC'
    days, rest_s = divmod(now_s, DAY_S)
    return f'{clock(rest_s)}:{int(rest_s % 60):02d}' + (f', day {days + 1:.0f}' if days else '')


def span(length_s: float) -> str:
    """Return a length of time in the unit that suits it."""
    for unit, in_s in (('h', _HOUR_S), ('min', 60.0)):
        if length_s >= 2 * in_s:
            return f'{length_s / in_s:.1f} {unit}'
    return f'{length_s:.1f} s'


def _facts(score: JunctionScore) -> list[tuple[str, str]]:
    policies = ', '.join(
        f'{algorithm} (bundle {digest[:12]}, node {source})'
        for algorithm, digest, source in score.policies
    )
    description = score.description
    facts = [
        ('Recorded', f'{moment(score.first_recorded_s)} to {moment(score.last_recorded_s)}'),
        ('States', f'{count(score.n_states)}, and {count(score.n_missing)} known to be missing'),
        ('Under fallback', span(score.fallback_s)),
        ('Flashing', span(score.flash_s)),
        ('Policy', policies or 'not told (no topic policy_status)'),
    ]
    if description is not None:
        facts.append(('Scenario', str(description.scenario.get('name', NOT_KNOWN))))
        facts.append(('Signal plan', f'fingerprint {description.plan.fingerprint()}'))
    return facts


def _gap_table(prefix: str, score: JunctionScore) -> Table | None:
    n = score.gap_counts.total()
    if not n:
        return None
    longest = sorted(score.gaps, key=lambda gap: -gap.length_s)[:GAPS_SHOWN]
    shown = sorted(longest, key=lambda gap: gap.recorded_s)
    which = 'all of them' if n == len(shown) else f'the {count(len(shown))} longest'
    return Table(
        name=f'{prefix}-gaps',
        caption=f'{counted(n, "gap")}, {span(score.gap_s)} in all; {which}, in the order of time.',
        columns=('after, wall clock', "after, junction's time", 'what', 'how long', 'states'),
        rows=tuple(
            Row(
                head=moment(gap.recorded_s),
                cells=(
                    moment(gap.after_s),
                    GAP_WORDS[gap.kind],
                    span(gap.length_s),
                    count(gap.n_missing) if gap.n_missing else NOT_KNOWN,
                ),
            )
            for gap in shown
        ),
        is_text=True,
    )


def _stage_table(prefix: str, score: JunctionScore) -> Table:
    plan = score.description.plan if score.description else None
    labels = approach_labels(plan, Missing(reason='')) if plan else {}
    rows = []
    for stage, found in sorted(score.stages.items()):
        words = ''
        if plan is not None and 0 <= stage < plan.n_stages:
            served = (movements_in_words(plan, labels, stage, lamp) for lamp in 'Gg')
            words = '; '.join(filter(None, served))
        rows.append(
            Row(
                head=f'stage {stage}',
                cells=(
                    words or 'not described',
                    count(found.n_compared),
                    share(found.n_agreed, found.n_compared),
                    count(found.n_policy_left),
                    count(found.n_incumbent_left),
                    count(found.n_both_left),
                ),
            )
        )
    return Table(
        name=f'{prefix}-agreement',
        caption='Agreement by the stage that showed when the policy was asked.',
        columns=(
            *('while', 'green', 'compared', 'agreed', 'policy would leave'),
            *('incumbent left', 'both left'),
        ),
        rows=tuple(rows),
        is_text=True,
    )


def _reason_table(prefix: str, score: JunctionScore) -> Table:
    total = score.reasons.total()
    return Table(
        name=f'{prefix}-reasons',
        caption='What the shield would have made of the answers, had they commanded.',
        columns=('reason', 'in words', 'answers', 'share'),
        rows=tuple(
            Row(head=reason, cells=(REASON_WORDS.get(reason, reason), count(n), share(n, total)))
            for reason, n in score.reasons.most_common()
        ),
        is_text=True,
    )


def quantiles(values: Sequence[float]) -> list[float]:
    """Return the quantiles of the page; NaN without values."""
    if not len(values):
        return [math.nan] * len(QUANTILES)
    return [float(q) for q in np.quantile(np.asarray(values, dtype=np.float64), QUANTILES)]


def _quantile_table(prefix: str, score: JunctionScore) -> Table:
    latencies_ms = [1000 * q for q in quantiles(score.latencies_s)]
    odd = quantiles(score.odd_scores)
    return Table(
        name=f'{prefix}-quantiles',
        caption='So large a share of all answers lies at or below these values.',
        columns=('', *(f'{100 * q:g} %' if q < 1 else 'largest' for q in QUANTILES)),
        rows=(
            Row(head='time to answer [ms]', cells=tuple(number(q, 2) for q in latencies_ms)),
            Row(head='score of unlikeness', cells=tuple(number(q, 2) for q in odd)),
        ),
    )


def _by_time_of_day(score: JunctionScore) -> dict[int, list[HourCount]]:
    found: dict[int, list[HourCount]] = {}
    for hour in score.hours.values():
        found.setdefault(int(hour.start_s % DAY_S // _HOUR_S), []).append(hour)
    return dict(sorted(found.items()))


def _hour_table(prefix: str, score: JunctionScore) -> Table:
    rows = []
    for of_day, hours in _by_time_of_day(score).items():

        def total(name: str, hours: Sequence[HourCount] = hours) -> float:
            return float(sum(getattr(hour, name) for hour in hours))

        rows.append(
            Row(
                head=clock(of_day * _HOUR_S),
                cells=(
                    span(total('covered_s')),
                    number(mean_standing_veh(hours)),
                    count(total('n_answers')),
                    share(total('n_agreed'), total('n_compared')),
                    share(total('n_vetoes'), total('n_verdicts')),
                    share(total('n_out_of_distribution'), total('n_answers')),
                ),
            )
        )
    return Table(
        name=f'{prefix}-hours',
        caption=f'By hour of the day{_zone(score)}, all days and runs together.',
        columns=(
            *('hour from', 'on record', 'standing\n[veh-h per hour]', 'answers', 'agreed'),
            *('vetoed', 'traffic unlike\nthe recorded'),
        ),
        rows=tuple(rows),
    )


def _zone(score: JunctionScore) -> str:
    is_utc = any(hour.start_s >= _EPOCH_S for hour in score.hours.values())
    return ' (UTC)' if is_utc else ''


def _standing_figure(prefix: str, score: JunctionScore) -> Figure:
    kept = {
        of_day: [hour for hour in hours if hour.read_s >= PLOTTED_S]
        for of_day, hours in _by_time_of_day(score).items()
    }
    kept = {of_day: hours for of_day, hours in kept.items() if hours}
    hours = [(clock(of_day * _HOUR_S), hour) for of_day, of in kept.items() for hour in of]
    data: list[dict[str, Any]] = [
        {
            'type': 'bar',
            'name': 'mean',
            'x': [clock(of_day * _HOUR_S) for of_day in kept],
            'y': finite([mean_standing_veh(of) for of in kept.values()]),
            'width': 0.6,
            'marker': {'color': _BAR},
        },
        {
            'type': 'scatter',
            'mode': 'markers',
            'name': 'each hour',
            'x': [at for at, _ in hours],
            'y': finite([hour.standing_veh for _, hour in hours]),
            'marker': {'color': _POINT, 'size': 7},
        },
    ]
    return Figure(
        name=f'{prefix}-plot-standing',
        title='Standing time on the detectors by hour of the day',
        caption=f'Hours with fewer than {span(PLOTTED_S)} of readings are left out.',
        height_px=340,
        data=data,
        layout=layout(
            f'hour of the day{_zone(score)}',
            'standing time [veh-h per hour]',
            xaxis={'type': 'category', 'categoryorder': 'category ascending'},
            yaxis={'rangemode': 'tozero'},
        ),
    )
