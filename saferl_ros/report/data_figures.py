"""Plots of what was recorded and of how training went."""

from __future__ import annotations

from collections.abc import Mapping
import math
from typing import Any

from saferl_ros.report.figure import Figure, finite, is_log, layout, plain, scale_axis
from saferl_ros.report.recorded_data import BIN_S, RecordedData
from saferl_ros.report.training_log import TrainingLog

_BLUES = [[0, '#eef4fb'], [0.35, '#b3cfe8'], [0.7, '#5b93c7'], [1, '#1f5a99']]
MOST_LABELLED_BINS = 30  # beyond this the numbers would run into each other

_CURVES = {  # column of the training log: title, unit of the axis, what to make of it
    'loss': (
        'Training loss',
        'loss',
        'What training minimises. Losses of different algorithms mean different things and '
        'cannot be compared.',
    ),
    'held_out_td_error': (
        'Error on held-out hours',
        'mean absolute TD error',
        'How far the learned values are from agreeing with themselves on hours kept out of '
        'training. If it rises while the loss falls, the policy learns the data by heart.',
    ),
    'held_out_accuracy': (
        'Imitation of held-out hours',
        'share of decisions copied',
        'How often the cloned policy does what was recorded, on hours kept out of training.',
    ),
    'fqe_value': (
        'Estimated value (FQE)',
        'value, higher is better',
        'Fitted Q evaluation on held-out hours, looking 100 s ahead. It ranks policies that stay '
        'near the record; its size is not to be trusted, and it is no safety check.',
    ),
}


def coverage_figures(data: RecordedData) -> list[Figure]:
    """Return one heat map per stage: displayed green against next stage."""
    top = math.log10(1 + max((cell.count for cell in data.cells), default=1))
    # the same axis and colours for all stages, so that the maps can be compared
    n_bins = 1 + int(max((cell.green_s for cell in data.cells), default=0.0) / BIN_S)
    return [_coverage_figure(data, stage, n_bins, top) for stage in range(len(data.follows))]


def _coverage_figure(data: RecordedData, stage: int, n_bins: int, top: float) -> Figure:
    counts = {(c.green_s, c.next_stage): c.count for c in data.cells if c.stage == stage}
    greens_s = [n * BIN_S for n in range(n_bins)]
    others = [n for n in range(len(data.follows)) if n != stage]
    rows = [stage, *others]
    table = [[counts.get((green_s, row), 0) for green_s in greens_s] for row in rows]
    trace: dict[str, Any] = {
        'type': 'heatmap',
        'x0': BIN_S / 2,
        'dx': BIN_S,
        'y': [f'keep {n}' if n == stage else f'→ {n}' for n in rows],
        # the colour is logarithmic, so that rare choices can still be told from none
        'z': [[math.log10(1 + n) if n else None for n in row] for row in table],
        'zmin': 0,
        'zmax': top,
        'colorscale': _BLUES,
        'showscale': False,
        'xgap': 1,
        'ygap': 1,
        'customdata': table,
        'hovertemplate': '%{y}, about %{x} s of green: %{customdata} times<extra></extra>',
    }
    if n_bins <= MOST_LABELLED_BINS:
        trace['text'] = [[str(n) if n else '' for n in row] for row in table]
        trace['texttemplate'] = '%{text}'
        trace['textfont'] = {'size': 10}
    return Figure(
        name=f'plot-coverage-{stage}',
        title=f'Stage {stage} shows green',
        caption='',
        height_px=110 + 30 * len(rows),
        data=[trace],
        layout=layout(
            'displayed green [s]',
            '',
            xaxis={'showgrid': False, 'range': [0, n_bins * BIN_S]},
            yaxis={'type': 'category', 'autorange': 'reversed', 'showgrid': False},
            margin={'t': 6, 'b': 44},
        ),
    )


def training_figures(logs: list[TrainingLog], colours: Mapping[str, str]) -> list[Figure]:
    """Return a plot per quantity that was logged, one line per bundle."""
    figures = []
    for column, (title, unit, caption) in _CURVES.items():
        curves = [(log.bundle, log.curves[column]) for log in logs if column in log.curves]
        if not curves:
            continue
        axis: dict[str, Any] = {}
        if column == 'held_out_accuracy':
            axis = {'range': [0, 1.02]}
        elif column != 'fqe_value':
            axis = scale_axis([v for _, curve in curves for v in curve.values])
            caption += ' The axis is logarithmic.' if is_log(axis) else ''
        figures.append(
            Figure(
                name=f'plot-{column.replace("_", "-")}',
                title=title,
                caption=caption,
                height_px=330,
                data=[
                    {
                        'type': 'scatter',
                        'mode': 'lines+markers',
                        'name': plain(bundle),
                        'x': finite(curve.steps),
                        'y': finite(curve.values),
                        'line': {'color': colours[bundle], 'width': 2},
                        'marker': {'color': colours[bundle], 'size': 6},
                        'hovertemplate': f'{plain(bundle)}, step %{{x:.0f}}: %{{y:.4g}}'
                        '<extra></extra>',
                    }
                    for bundle, curve in curves
                ],
                layout=layout(
                    'gradient steps',
                    unit,
                    xaxis={'rangemode': 'tozero'},
                    yaxis=axis,
                    showlegend=True,
                ),
            )
        )
    return figures
