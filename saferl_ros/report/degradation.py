"""How the controllers hold up when things go wrong: curves and a table."""

from __future__ import annotations

from collections.abc import Mapping

from saferl_ros.report.figure import Figure, finite, is_log, layout, plain, scale_axis
from saferl_ros.report.readable import number
from saferl_ros.report.score_figures import LOG_NOTE
from saferl_ros.report.scores import DegradationPoint, Scores
from saferl_ros.report.table import Row, Table

_CURVES = {  # kind: (title of the axis, level of the undisturbed point)
    'blind detectors': ('share of detectors that see nobody', 0.0),
    'stuck detectors': ('share of detectors that always see a full lane', 0.0),
    'demand': ('demand scale', 1.0),
}


def degradation_figures(scores: Scores, colours: Mapping[str, str]) -> list[Figure]:
    """Return a plot for each kind of disturbance that has a scale."""
    calm = [point for point in scores.degradation if point.kind == 'none']
    figures = []
    for kind, (title, calm_level) in _CURVES.items():
        points = [(p.level, p) for p in scores.degradation if p.kind == kind]
        if points:
            points += [(calm_level, point) for point in calm]
            figures.append(_figure(kind, title, sorted(points, key=lambda p: p[0]), colours))
    return figures


def _figure(
    kind: str,
    title: str,
    points: list[tuple[float, DegradationPoint]],
    colours: Mapping[str, str],
) -> Figure:
    axis = scale_axis([d.mean for _, point in points for d in point.delay.values()])
    data = [
        {
            'type': 'scatter',
            'mode': 'lines+markers',
            'name': plain(name),
            'x': [level for level, _ in points],
            'y': finite([point.delay[name].mean for _, point in points]),
            'line': {'color': colours[name], 'width': 2},
            'hovertemplate': f'{plain(name)}, %{{x:g}}: %{{y:.1f}} s<extra></extra>',
        }
        for name in points[0][1].delay
    ]
    return Figure(
        name=f'plot-disturbed-{kind.replace(" ", "-")}',
        title=kind.capitalize(),
        caption=f'Mean delay.{LOG_NOTE if is_log(axis) else ""}',
        height_px=340,
        data=data,
        layout=layout(title, 'delay [s per vehicle]', yaxis=axis),
    )


def degradation_table(scores: Scores) -> Table | None:
    """Return the delay of each controller under each disturbance, ``None`` without any."""
    if not scores.degradation:
        return None
    names = list(scores.degradation[0].delay)
    return Table(
        name='degradation',
        caption='Delay [s/veh], and in brackets the ratio to the same controller undisturbed, '
        'then the share of decisions that the fixed-time fallback made in its place.',
        columns=('disturbance', *names),
        rows=tuple(
            Row(
                head=f'{point.kind} {point.level:g}' if point.level else point.kind,
                cells=tuple(
                    f'{number(point.delay[name].mean)} '
                    f'({number(point.over_undisturbed[name].mean, 2)})'
                    f'{_fallback(point.fallback_share[name])}'
                    for name in names
                ),
            )
            for point in scores.degradation
        ),
    )


def _fallback(share: float) -> str:
    return f', fallback {share:.0%}' if share >= 0.005 else ''
