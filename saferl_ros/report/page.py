"""Writes the page: reads the run, fills the template, replaces the file when it is whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from saferl_ros.dataset.io import whole_file
from saferl_ros.errors import MissingExtraError
from saferl_ros.report.approaches import approach_labels
from saferl_ros.report.conclusions import conclude
from saferl_ros.report.data_figures import coverage_figures, training_figures
from saferl_ros.report.degradation import degradation_figures, degradation_table
from saferl_ros.report.figure import Figure
from saferl_ros.report.junction_drawing import draw_junction, JunctionDrawing
from saferl_ros.report.missing import Missing, present
from saferl_ros.report.palette import colours
from saferl_ros.report.plan_tables import (
    approach_table,
    clearance_table,
    follows_table,
    stage_table,
)
from saferl_ros.report.recorded_data import N_RARE
from saferl_ros.report.run_folder import read_run, RunFolder, RunJunction
from saferl_ros.report.score_figures import delay_figure, demand_figure, queue_figure
from saferl_ros.report.score_tables import (
    comparison_table,
    gate_table,
    pedestrian_table,
    safety_table,
    tuning_table,
)
from saferl_ros.report.verdict import head, PROFILE_WORDS


def write_report(run_dir: Path, path: Path, network: Path | None = None) -> list[str]:
    """
    Write one self-contained HTML page of a run; it needs no network to be read.

    An existing file is replaced only when the new one is complete.

    :param run_dir: what ``saferl run`` wrote; pieces other than the evaluation may be missing.
    :param path: the page to write.
    :param network: see ``read_run``.
    :returns: why junctions are not drawn, if they are not.
    :raises MissingExtraError: if plotly or jinja2 is not installed.
    :raises UsageError: if there is no such folder, or the page cannot be written.
    :raises DatasetError: if the evaluation is missing or damaged.
    """
    reasons: set[str] = set()

    def context() -> dict[str, Any]:
        run = read_run(run_dir, network)
        networks = [junction.network for junction in run.junctions]
        reasons.update(one.reason for one in networks if isinstance(one, Missing))
        return page_context(run)

    write_page('template.html', context, path)
    return sorted(reasons)


def write_page(template: str, make_context: Callable[[], dict[str, Any]], path: Path) -> None:
    """
    Fill one of our templates and write the page when it is whole.

    :param make_context: called once what the page needs is known to be there.
    :raises MissingExtraError: if plotly or jinja2 is not installed.
    :raises UsageError: if the page cannot be written.
    """
    plotly_js = _plotly_js()
    filled = _environment().get_template(template)
    page = filled.render(**make_context(), css=_own_file('page.css'), plotly_js=plotly_js)
    with whole_file(path) as partial:
        partial.write_text(page, encoding='utf-8')


def page_context(run: RunFolder) -> dict[str, Any]:
    """Return what the template shows, section by section."""
    palette = colours(_names(run))
    context = {
        'head': head(run),
        'scores': run.scores,
        'places': [
            {
                'junction_id': junction.junction_id,
                'junction': _junction(junction),
                'data': _data(junction, is_alone=len(run.junctions) == 1),
            }
            for junction in run.junctions
        ],
        'training': _training(run, palette),
        'comparison': comparison_table(run.scores, palette),
        'delay_figure': delay_figure(run.scores, palette),
        'demand_figure': demand_figure(run.scores, palette),
        'queue_figure': _queue(run, palette),
        'safety': safety_table(run.scores, palette),
        'pedestrians': pedestrian_table(run.scores, palette),
        'degradation_figures': degradation_figures(run.scores, palette),
        'degradation': degradation_table(run.scores),
        'gate': _gate(run),
        'tuning': _tuning(run, palette),
        'conclusions': conclude(run),
    }
    return {**context, 'figures': _figures(context)}


def _names(run: RunFolder) -> list[str]:
    """Return every name that has a colour: judged controllers, and bundles only trained."""
    trained = [log.bundle for log in present(run.training) or []]
    return list(dict.fromkeys([*(c.name for c in run.scores.controllers), *trained]))


def _junction(junction: RunJunction) -> dict[str, Any] | Missing:
    plan = junction.plan
    if isinstance(plan, Missing):
        return plan
    labels = approach_labels(plan, junction.network)
    if isinstance(junction.network, Missing):
        drawing: JunctionDrawing | Missing = junction.network
    else:
        drawing = draw_junction(plan, junction.network, labels)
    return {
        'drawing': drawing,
        'has_turns_after_stop': any('s' in stage.lamps for stage in plan.stages),
        'approaches': approach_table(plan, labels),
        'stages': stage_table(plan, labels),
        'clearances': clearance_table(plan),
        'profile': PROFILE_WORDS.get(plan.clearance, plan.clearance),
    }


def _data(junction: RunJunction, *, is_alone: bool) -> dict[str, Any] | Missing:
    """Return what was recorded of a junction; the maps of many would make a page too heavy."""
    if isinstance(junction.data, Missing):
        return junction.data
    return {
        'found': junction.data,
        'follows': follows_table(junction.data),
        'coverage': coverage_figures(junction.data) if is_alone else [],
        'n_rare': N_RARE,
    }


def _training(run: RunFolder, palette: Mapping[str, str]) -> list[Figure] | Missing:
    if isinstance(run.training, Missing):
        return run.training
    return training_figures(run.training, palette)


def _queue(run: RunFolder, palette: Mapping[str, str]) -> Figure | Missing:
    """Show the network's own plan beside one policy."""
    policies = run.scores.policies()
    policy = run.scores.find('cql') or next(iter(policies), None)
    shown = [c for c in (run.scores.find('net_plan'), policy) if c is not None and c.trace]
    shown = [c for c in shown if c.trace is not None and c.trace.times_s]
    if not shown:
        return Missing(reason='The evaluation kept no queue of an example episode.')
    return queue_figure(run.scores, shown, palette)


def _gate(run: RunFolder) -> Any:
    return run.verdict if isinstance(run.verdict, Missing) else gate_table(run.verdict)


def _tuning(run: RunFolder, palette: Mapping[str, str]) -> Any:
    if not run.scores.tunings:
        return Missing(reason='The evaluation does not say how its baselines were tuned.')
    return tuning_table(run.scores.tunings, palette)


def _figures(context: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return traces and layout of every figure by the id of its element."""
    found: list[Figure] = [context['delay_figure'], context['demand_figure']]
    found.extend(context['degradation_figures'])
    if not isinstance(context['queue_figure'], Missing):
        found.append(context['queue_figure'])
    for place in context['places']:
        if not isinstance(place['data'], Missing):
            found.extend(place['data']['coverage'])
    if not isinstance(context['training'], Missing):
        found.extend(context['training'])
    return {figure.name: {'data': figure.data, 'layout': figure.layout} for figure in found}


def _plotly_js() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise MissingExtraError('plotly', 'report') from error
    return str(get_plotlyjs())


def _environment() -> Any:
    """Return jinja2's environment: everything is escaped, a misspelt name is an error."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise MissingExtraError('jinja2', 'report') from error
    environment = Environment(
        loader=PackageLoader('saferl_ros', 'report'),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests['missing'] = lambda piece: isinstance(piece, Missing)
    return environment


def _own_file(name: str) -> str:
    return (files('saferl_ros.report') / name).read_text(encoding='utf-8')
