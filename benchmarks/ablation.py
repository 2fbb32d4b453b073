"""
What each part of the recipe is worth: trains and plays every row of ``ablation/*.yaml``.

Rows are played on demand of the tuning split, because they are what choices are made by; test
demand stays for judging. A finished row is kept in ``docs/ablation/<scenario>.json``, so that an
interrupted run goes on, and ``docs/ablation.md`` is written from what is kept, with a plot of what
each record gained against what it cost.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
import hashlib
import json
from pathlib import Path
import time
from typing import Any

from kept import plans_digest
import matplotlib as mpl
from matplotlib.figure import Figure
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
import yaml

from saferl_ros.bundle.folders import bundles_of
from saferl_ros.bundle.produce import train_all
from saferl_ros.dataset.coverage import price
from saferl_ros.dataset.files import record_paths
from saferl_ros.dataset.intervals import mean_interval, ratio_interval
from saferl_ros.dataset.io import read_record
from saferl_ros.env.junction import derive_junctions, Junction
from saferl_ros.evaluate.contest import Contestant, play_all
from saferl_ros.evaluate.kept import KeptEpisodes
from saferl_ros.observation.spec import SPEC_VERSION
from saferl_ros.record.recorder import record, RecordConfig
from saferl_ros.record.revision import git_revision
from saferl_ros.scenario import DemandVariation, load_scenario, Split
from saferl_ros.train.config import TrainConfig
from saferl_ros.yaml_file import read_yaml

ROOT = Path(__file__).parents[1]
SCALES = (0.7, 1.15)


class Ablation(BaseModel):
    """The file: a base and what each row changes."""

    model_config = ConfigDict(frozen=True, extra='forbid')

    scenario: str
    observation: str = 'detector'
    seeds: tuple[int, ...] = Field(min_length=1)
    demands: int = Field(ge=2)
    base: dict[str, Any]
    rows: dict[str, dict[str, Any]]

    def settings(self, row: str) -> tuple[RecordConfig, TrainConfig]:
        """Return what a row records and how it learns."""
        data = merged(self.base, self.rows[row])
        train = merged(data.get('train', {}), {'seeds': list(self.seeds)})
        return (
            RecordConfig.model_validate(data.get('record', {})),
            TrainConfig.model_validate(train),
        )

    def stated(self, row: str) -> dict[str, Any]:
        """Return all that a row's result follows from, JSON-ready."""
        recording, training = self.settings(row)
        return {
            **self._seen(),
            'record': recording.model_dump(mode='json'),
            'train': training.model_dump(mode='json'),
        }

    def _seen(self) -> dict[str, Any]:
        """Return what policies see, and how often they are seen."""
        return {
            'observation': self.observation,
            'observation_version': SPEC_VERSION,
            'demands': self.demands,
        }

    def current(self, kept: dict[str, Any]) -> dict[str, Any]:
        """Return the kept rows that were run with the settings stated now."""
        return {
            row: kept[row]
            for row in self.rows
            if row in kept
            and self.settings(row) == _settings_of(kept[row])
            and all(kept[row].get(key) == stated for key, stated in self._seen().items())
        }


def _settings_of(kept: dict[str, Any]) -> tuple[RecordConfig, TrainConfig] | None:
    try:
        return (
            RecordConfig.model_validate(kept['record']),
            TrainConfig.model_validate(kept['train']),
        )
    except ValidationError:  # with a setting that is no more
        return None


def merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the leaves of ``change`` in place of its own."""
    found = dict(base)
    for key, value in change.items():
        old = found.get(key)
        is_tree = isinstance(old, dict) and isinstance(value, dict) and not key.endswith('shift_s')
        found[key] = merged(old, value) if is_tree else value  # type: ignore[arg-type]
    return found


def run_row(
    junctions: list[Junction], ablation: Ablation, row: str, folder: Path, jobs: int
) -> dict[str, Any]:
    """Record if need be, train and play one row; return its result."""
    started = time.monotonic()
    recording, training = ablation.settings(row)
    digest = hashlib.sha256(recording.model_dump_json().encode()).hexdigest()[:12]
    ids = [junction.plan.junction_id for junction in junctions]
    place = folder / f'record_{digest}'
    files = record_paths(place.with_suffix('.h5') if len(ids) == 1 else place, ids)
    record(junctions, recording, files, jobs=jobs)
    name = hashlib.sha256((digest + training.model_dump_json()).encode()).hexdigest()[:12]
    bundles = train_all(files, training, folder / name, jobs=jobs)
    demands = [
        DemandVariation(split=Split.TUNE, seed=500 + n, scale=round(float(scale), 4))
        for n, scale in enumerate(np.linspace(*SCALES, ablation.demands))
    ]
    contestants = [
        Contestant(name=found, bundles=bundles_of(where, ids)) for found, where in bundles.items()
    ]
    references = [
        Contestant(name='net_plan'),
        Contestant(
            name='own_plan', programs={j.plan.junction_id: j.plan.program for j in junctions}
        ),
    ]
    *rows, net_plan, own_plan = play_all(
        junctions,
        [*contestants, *references],
        demands,
        jobs=jobs,
        kept=KeptEpisodes(folder / 'episodes.jsonl'),  # the references of all rows
    )
    mean = np.mean(rows, axis=0)
    cost = price(read_record(files[0]))
    return {
        'git_revision': git_revision(),
        'plans': plans_digest(junction.plan.fingerprint() for junction in junctions),
        'price': cost,
        'by_seed': {name: float(np.mean(row)) for name, row in zip(bundles, rows, strict=True)},
        'by_demand_s': mean.tolist(),
        'delay_s': asdict(mean_interval(mean.tolist())),
        'over_net_plan': asdict(ratio_interval(mean.tolist(), net_plan)),
        'over_own_plan': asdict(ratio_interval(mean.tolist(), own_plan)),
        'worst_over_own_plan': max(float(np.sum(row) / np.sum(own_plan)) for row in rows),
        'minutes': (time.monotonic() - started) / 60,
    }


def write_page(ablations: list[Ablation], docs: Path) -> None:
    """Write the tables of all rows that are kept."""
    lines = [
        '# Ablation',
        '',
        'Written by `benchmarks/ablation.py` from `benchmarks/ablation/*.yaml`. Each row says '
        'what it changes of the base; the bundle after the last step, on demand of the tuning '
        'split, because choices are made by it. Intervals are over demands, of a difference over '
        'the same ones where a row and the base kept them; they do not hold how training seeds '
        'differ. A negative difference is less delay. '
        '`net_plan` is the program as it stands, `own_plan` the same with complete clearances.',
        '',
    ]
    for ablation in ablations:
        kept = ablation.current(read_kept(store_of(docs, ablation)))
        lines += section(ablation, kept, docs)
    (docs / 'ablation.md').write_text('\n'.join(lines).rstrip() + '\n', encoding='utf-8')


def section(ablation: Ablation, kept: dict[str, Any], docs: Path) -> list[str]:
    """Return one scenario's part of the page; draw its plot."""
    base = yaml.safe_dump(ablation.base, default_flow_style=True, width=1000).strip()
    lines = [
        f'## {ablation.scenario}',
        '',
        f'{len(ablation.seeds)} training seeds, {ablation.demands} demands with scales '
        f'{SCALES[0]} to {SCALES[1]}, observation `{ablation.observation}`. The base: the default '
        f'recipe with `{base}`.',
        '',
    ]
    table = [
        '| row | delay by seed [s/veh] | mean [95 % interval] | ÷ net_plan | ÷ own_plan | '
        '÷ own_plan, worst seed | against base [s] | price of the record | minutes |',
        '|---' * 9 + '|',
    ]
    junctions = derive_junctions(load_scenario(ablation.scenario))
    today = plans_digest(junction.plan.fingerprint() for junction in junctions)
    is_old = {row: one['plans'] != today for row, one in kept.items()}
    for row in (row for row in ablation.rows if row in kept):
        one = kept[row]
        delay, cost = one['delay_s'], one['price']
        table.append(
            f'| {row}{" †" if is_old[row] else ""} | '
            f'{", ".join(f"{value:.1f}" for value in one["by_seed"].values())} | '
            f'{delay["mean"]:.1f} [{delay["ci_low"]:.1f}, {delay["ci_high"]:.1f}] | '
            f'{one["over_net_plan"]["mean"]:.2f} | {one["over_own_plan"]["mean"]:.2f} | '
            f'{one["worst_over_own_plan"]:.2f} | {against_base(one, kept.get("base"))} | '
            f'{"–" if cost is None else format(cost["mean"], ".2f")} | {one["minutes"]:.1f} |'
        )
    if kept:
        lines += [*table, '']
    if any(is_old.values()):
        lines += ['† Played under other signal plans, with other clearances, than today.', '']
    missing = [row for row in ablation.rows if row not in kept]
    if missing:
        lines += [f'Not run yet: {"; ".join(missing)}.', '']
    points = priced(ablation, kept)
    if len(points) > 1:
        name = f'{ablation.scenario}_price.svg'
        plot(points, docs / 'ablation' / name)
        lines += [
            'Delay over that of `net_plan`, against what recording the data cost: each '
            'record once with CQL, and with offline double DQN where that was tried. A price of '
            '1.05 is the budget.',
            '',
            f'![Delay over net_plan against the price of the record](ablation/{name})',
            '',
        ]
    return lines


def against_base(one: dict[str, Any], base: dict[str, Any] | None) -> str:
    """Return the difference [s], with the interval over demands where both kept them."""
    if base is None:
        return '–'
    difference = f'{one["delay_s"]["mean"] - base["delay_s"]["mean"]:+.1f}'
    if one is base or not ('by_demand_s' in one and 'by_demand_s' in base):
        return difference
    pairs = zip(one['by_demand_s'], base['by_demand_s'], strict=True)
    found = mean_interval([ours - theirs for ours, theirs in pairs])
    return f'{difference} [{found.ci_low:+.1f}, {found.ci_high:+.1f}]'


def store_of(docs: Path, ablation: Ablation) -> Path:
    """Return where the rows of a scenario are kept."""
    return docs / 'ablation' / f'{ablation.scenario}.json'


def read_kept(store: Path) -> dict[str, Any]:
    """Return the kept rows."""
    found: dict[str, Any] = {}
    if store.exists():
        found = json.loads(store.read_text(encoding='utf-8'))
    return found


def priced(ablation: Ablation, kept: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the rows that differ from the base in their record and algorithm alone."""
    usual = ablation.settings('base')[1]
    found = {}
    for row in (row for row in ablation.rows if row in kept and kept[row]['price']):
        train = TrainConfig.model_validate(kept[row]['train'])
        if train.model_copy(update={'algorithms': usual.algorithms}) == usual:
            found[row] = kept[row]
    return found


def plot(points: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw delay over net_plan against the price of the record, with intervals."""
    mpl.rcParams['svg.hashsalt'] = 'ablation'  # the same file for the same figures
    figure = Figure(figsize=(9, 5), layout='constrained')
    axes = figure.subplots()
    for name, colour in (('cql', 'tab:blue'), ('dqn', 'tab:orange')):
        ours = {row: p for row, p in points.items() if p['train']['algorithms'] == [name]}
        if not ours:
            continue
        keys = ('mean', 'ci_low', 'ci_high')
        x = np.array([[p['price'][key] for key in keys] for p in ours.values()])
        y = np.array([[p['over_net_plan'][key] for key in keys] for p in ours.values()])
        axes.errorbar(
            x[:, 0],
            y[:, 0],
            xerr=np.abs(x[:, 1:] - x[:, :1]).T,
            yerr=np.abs(y[:, 1:] - y[:, :1]).T,
            fmt='o',
            color=colour,
            label={'cql': 'CQL', 'dqn': 'offline double DQN'}[name],
            elinewidth=0.8,
        )
        for row, at_x, at_y in zip(ours, x[:, 0], y[:, 0], strict=True):
            axes.annotate(row, (at_x, at_y), (5, 5), textcoords='offset points', fontsize=7)
    axes.axvline(1.05, color='grey', linewidth=0.8, linestyle='--')
    axes.axhline(1.0, color='grey', linewidth=0.8)
    axes.set_xlabel('price of the record: its delay over that of the own plan')
    axes.set_ylabel('delay of the policy over net_plan')
    axes.legend()
    figure.savefig(path, metadata={'Date': None})


def main() -> None:
    """Run every row that is not kept yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', type=Path, nargs='*', help='default: all of them')
    parser.add_argument('--jobs', type=int, default=2)
    parser.add_argument(
        '--only', nargs='*', metavar='ROW', help='run these rows alone; none: write the page alone'
    )
    parser.add_argument('--docs', type=Path, default=ROOT / 'docs')
    options = parser.parse_args()
    everything = sorted(Path(__file__).with_suffix('').glob('*.yaml'))
    ablations = [read_yaml(path, Ablation) for path in options.config or everything]
    unknown = set(options.only or ()) - {row for one in ablations for row in one.rows}
    if unknown:
        parser.error(f'no such row: {", ".join(sorted(unknown))}')
    shown = [read_yaml(path, Ablation) for path in everything]
    for ablation in ablations:
        junctions = derive_junctions(
            load_scenario(ablation.scenario), observation=ablation.observation
        )
        store = store_of(options.docs, ablation)
        store.parent.mkdir(parents=True, exist_ok=True)
        kept = read_kept(store)
        folder = ROOT / 'runs' / 'ablation' / ablation.scenario
        folder.mkdir(parents=True, exist_ok=True)
        wanted = ablation.rows if options.only is None else options.only
        for row in (row for row in ablation.rows if row in wanted):
            if row in ablation.current(kept):
                continue
            kept[row] = ablation.stated(row) | run_row(
                junctions, ablation, row, folder, options.jobs
            )
            partial = store.with_suffix('.writing')
            partial.write_text(json.dumps(kept, indent=1) + '\n', encoding='utf-8')
            partial.replace(store)
            print(f'{row}: {kept[row]["delay_s"]["mean"]:.1f} s/veh', flush=True)
            write_page(shown, options.docs)
    write_page(shown, options.docs)


if __name__ == '__main__':
    main()
