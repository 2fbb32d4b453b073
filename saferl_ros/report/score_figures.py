"""Plots of the evaluation: delay, delay by demand, queue over time."""

from __future__ import annotations

from collections.abc import Mapping

from saferl_ros.report.figure import Figure, finite, is_log, layout, plain, scale_axis
from saferl_ros.report.readable import clock, listed
from saferl_ros.report.scores import ControllerScore, Scores

LOG_NOTE = ' The delay axis is logarithmic, because the values differ so much.'
TICK_S = 600.0


def delay_figure(scores: Scores, colours: Mapping[str, str]) -> Figure:
    """Return the delay of every controller as a point with its interval."""
    rows = scores.controllers
    delays = [c.metrics['delay_s'].estimate for c in rows]
    axis = scale_axis([v for d in delays for v in (d.low, d.mean, d.high)])
    data = [
        {
            'type': 'scatter',
            'mode': 'markers',
            'name': plain(c.name),
            'x': finite([d.mean]),
            'y': [plain(c.name)],
            'marker': {
                'color': colours[c.name],
                'size': 12,
                'symbol': 'diamond' if c.is_policy else 'circle',
            },
            'error_x': {
                'type': 'data',
                'symmetric': False,
                'array': finite([d.high - d.mean]),
                'arrayminus': finite([d.mean - d.low]),
                'thickness': 2.5,
                'width': 6,
                'color': colours[c.name],
            },
            'hovertemplate': f'{plain(c.name)}: {d.text()} s per vehicle<extra></extra>',
            'showlegend': False,
        }
        for c, d in zip(rows, delays, strict=True)
    ]
    return Figure(
        name='plot-delay',
        title='Delay of each controller',
        caption='Mean delay over all demands with its 95 % interval; learned policies are '
        f'diamonds. Further left is better.{LOG_NOTE if is_log(axis) else ""}',
        height_px=90 + 38 * len(rows),
        data=data,
        layout=layout(
            'delay [s per vehicle]',
            '',
            xaxis=axis,
            yaxis={
                'type': 'category',
                'categoryorder': 'array',
                'categoryarray': [plain(c.name) for c in rows][::-1],
            },
        ),
    )


def demand_figure(scores: Scores, colours: Mapping[str, str]) -> Figure:
    """Return the delay of every controller over the scale of the demand."""
    varied = sorted(
        (n for n, demand in enumerate(scores.demands) if not demand.is_nominal),
        key=lambda n: scores.demands[n].scale,
    )
    nominal = [n for n, demand in enumerate(scores.demands) if demand.is_nominal]
    axis = scale_axis([v for c in scores.controllers for v in c.metrics['delay_s'].per_demand])
    data = []
    for c in scores.controllers:
        delays = c.metrics['delay_s'].per_demand
        for where, is_nominal in ((varied, False), (nominal, True)):
            if not where:
                continue
            words = 'nominal demand' if is_nominal else 'scale %{x:.2f}'
            data.append(
                {
                    'type': 'scatter',
                    'mode': 'markers' if is_nominal else 'lines+markers',
                    'name': plain(c.name),
                    'legendgroup': c.name,
                    'showlegend': not is_nominal or not varied,
                    'x': [scores.demands[n].scale for n in where],
                    'y': finite([delays[n] for n in where]),
                    'line': {'color': colours[c.name], 'width': 3 if c.is_policy else 2},
                    'marker': {
                        'color': colours[c.name],
                        'size': 11 if is_nominal else 6,
                        'symbol': 'star-open' if is_nominal else 'circle',
                    },
                    'hovertemplate': f'{plain(c.name)}, {words}: %{{y:.1f}} s<extra></extra>',
                }
            )
    star = ' Stars: the nominal demand, vehicle by vehicle.' if nominal else ''
    return Figure(
        name='plot-demand',
        title='',
        caption='One point is one simulated episode; a scale of 1 is as many vehicles as the '
        f'scenario has.{star}{LOG_NOTE if is_log(axis) else ""}',
        height_px=440,
        data=data,
        layout=layout('demand scale', 'delay [s per vehicle]', yaxis=axis),
    )


def queue_figure(
    scores: Scores, shown: list[ControllerScore], colours: Mapping[str, str]
) -> Figure:
    """
    Return the queue over the example episode.

    :param shown: controllers that have a trace, at least one.
    """
    data = [
        {
            'type': 'scatter',
            'mode': 'lines',
            'name': plain(c.name),
            'x': finite(c.trace.times_s),
            'y': finite(c.trace.queue_veh),
            'line': {'color': colours[c.name], 'width': 2},
            'text': [clock(t) for t in c.trace.times_s],
            'hovertemplate': f'{plain(c.name)}, %{{text}}: %{{y:.0f}} vehicles<extra></extra>',
        }
        for c in shown
        if c.trace is not None
    ]
    demand = scores.demands[-1]  # traces are kept of the last demand
    words = 'the nominal demand' if demand.is_nominal else f'demand scale {demand.scale:.2f}'
    step_s = TICK_S if scores.end_s - scores.begin_s <= 7200 else 6 * TICK_S
    n_ticks = int((scores.end_s - scores.begin_s) // step_s)
    ticks = [scores.begin_s + n * step_s for n in range(n_ticks + 1)]
    return Figure(
        name='plot-queue',
        title='',
        caption=f'Vehicles standing (below 0.1 m/s) on the approaches under '
        f'{listed([c.name for c in shown])}, {words}.',
        height_px=360,
        data=data,
        layout=layout(
            'simulated time',
            'queue [vehicles]',
            xaxis={
                'tickvals': ticks,
                'ticktext': [clock(t) for t in ticks],
                'range': [scores.begin_s, scores.end_s],
            },
            yaxis={'rangemode': 'tozero'},
            showlegend=True,
        ),
    )
