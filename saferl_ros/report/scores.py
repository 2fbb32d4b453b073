"""What an evaluation found, as typed values: the only place that knows its file's layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saferl_ros.errors import DatasetError
from saferl_ros.evaluate.judge import BASELINES, read_evaluation
from saferl_ros.report.readable import Estimate

REFERENCES = ('net_plan', 'actuated', 'max_pressure')  # what the gate compares with
METRICS = (
    *('delay_s', 'travel_time_s', 'waiting_s', 'queue_veh', 'throughput_veh', 'stops'),
    *('max_wait_s', 'emergency_brakings', 'collisions', 'teleports', 'monitor_faults'),
    *('shield_vetoes', 'starved', 'not_inserted_veh', 'pedestrians', 'pedestrian_delay_s'),
    *('co2_g', 'conflicts'),
    *('pedestrian_waiting_s', 'max_pedestrian_wait_s', 'fallback_share'),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric of one controller over all demands."""

    estimate: Estimate
    per_demand: tuple[float, ...]  # in the order of the demands

    @property
    def total(self) -> float:
        """Sum over all demands, for counts of events."""
        return sum(self.per_demand)

    @property
    def worst(self) -> float:
        """Largest value of any demand."""
        return max(self.per_demand)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Queue over the example episode."""

    times_s: tuple[float, ...]
    queue_veh: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerScore:
    """What one controller got."""

    name: str
    description: str
    metrics: Mapping[str, Metric]
    delay_over: Mapping[str, Estimate]  # name of another controller to the ratio of delays
    faults: Mapping[str, int]  # rule of the conflict monitor to the number of faults
    trace: Trace | None

    @property
    def is_policy(self) -> bool:
        """Whether it is a learned policy rather than something to compare with."""
        return self.name not in BASELINES


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedDemand:
    """One demand that every controller met."""

    scale: float  # times the nominal demand
    is_nominal: bool  # the scenario's own vehicles, one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How one baseline was tuned."""

    name: str
    parameters: Any  # pairs of (stage, green) of a plan, or names and values
    n_candidates: int
    n_finalists: int
    scales: tuple[float, ...]
    mean_delay_s: float
    worst_finalist_delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DegradationPoint:
    """What the controllers got under one disturbance."""

    kind: str
    level: float  # zero where the kind has no scale
    delay: Mapping[str, Estimate]  # by controller
    over_undisturbed: Mapping[str, Estimate]
    fallback_share: Mapping[str, float]  # of a policy's decisions, made by the fixed-time program


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """A whole evaluation."""

    scenario: str
    begin_s: float
    end_s: float
    teleport_s: float  # how long a vehicle stands until the simulator takes it out; below 0 never
    junction_ids: tuple[str, ...]
    clearance: str
    package_version: str
    sumo_version: str
    demands: tuple[JudgedDemand, ...]
    controllers: tuple[ControllerScore, ...]
    tunings: tuple[Tuning, ...]
    degradation: tuple[DegradationPoint, ...]  # empty if it was not judged
    judged_sha256: Mapping[str, Mapping[str, str]]  # by policy and junction, of what was played

    def find(self, name: str) -> ControllerScore | None:
        """Return the controller of that name, if it was judged."""
        return next((c for c in self.controllers if c.name == name), None)

    def policies(self) -> list[ControllerScore]:
        """Return the learned policies."""
        return [c for c in self.controllers if c.is_policy]


def read_scores(path: Path) -> Scores:
    """
    Read an evaluation.

    :raises DatasetError: if it is missing, damaged, or of another format version.
    """
    data = read_evaluation(path)
    try:
        return _scores(data)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        words = f'it has no {error}' if isinstance(error, KeyError) else str(error)
        raise DatasetError(
            f"evaluation '{path}' is damaged: {words}; evaluate again with 'saferl evaluate'"
        ) from error


def estimate(data: Mapping[str, Any]) -> Estimate:
    """Return a mean with its interval as the package's JSON files hold it."""
    return Estimate(
        mean=float(data['mean']), low=float(data['ci_low']), high=float(data['ci_high'])
    )


def _scores(data: dict[str, Any]) -> Scores:
    scenario = data['scenario']
    demands = tuple(
        JudgedDemand(scale=float(d['scale']), is_nominal=bool(d['is_nominal']))
        for d in data['demands']
    )
    controllers = tuple(_controller(name, data, len(demands)) for name in data['controllers'])
    if not demands or not controllers:
        raise ValueError(f'it has {len(demands)} demands and {len(controllers)} controllers')
    return Scores(
        scenario=str(scenario['name']),
        begin_s=float(scenario['begin_s']),
        end_s=float(scenario['end_s']),
        teleport_s=float(scenario.get('time_to_teleport_s', -1)),
        junction_ids=tuple(map(str, data['junction_ids'])),
        clearance=str(data['clearance']),
        package_version=str(data['package_version']),
        sumo_version=str(data['sumo_version']),
        demands=demands,
        controllers=controllers,
        tunings=tuple(_tuning(name, note) for name, note in data.get('baselines', {}).items()),
        degradation=tuple(map(_point, data.get('degradation', []))),
        judged_sha256={
            str(name): {str(of): str(sha256) for of, sha256 in found.items()}
            for name, found in data.get('policies', {}).items()
        },
    )


def _controller(name: str, data: dict[str, Any], n_demands: int) -> ControllerScore:
    metrics = {metric: _metric(data['controllers'][name][metric]) for metric in METRICS}
    for metric, found in metrics.items():
        if len(found.per_demand) != n_demands:
            raise ValueError(
                f'{name} has {len(found.per_demand)} values of {metric} for {n_demands} demands'
            )
    trace = data.get('traces', {}).get(name)
    return ControllerScore(
        name=name,
        description=str(data.get('descriptions', {}).get(name, '')),
        metrics=metrics,
        delay_over={
            other: estimate(ratio) for other, ratio in data['delay_ratios'].get(name, {}).items()
        },
        faults={
            str(rule): int(n) for rule, n in data.get('fault_counts', {}).get(name, {}).items()
        },
        trace=None if trace is None else _trace(trace),
    )


def _point(row: Mapping[str, Any]) -> DegradationPoint:
    found = row['controllers'].items()
    return DegradationPoint(
        kind=str(row['kind']),
        level=float(row['level']),
        delay={name: estimate(one['delay_s']) for name, one in found},
        over_undisturbed={name: estimate(one['over_undisturbed']) for name, one in found},
        fallback_share={name: float(one.get('fallback_share', 0.0)) for name, one in found},
    )


def _metric(data: dict[str, Any]) -> Metric:
    return Metric(estimate=estimate(data), per_demand=tuple(map(float, data['per_seed'])))


def _trace(data: dict[str, Any]) -> Trace:
    return Trace(
        times_s=tuple(map(float, data['times_s'])), queue_veh=tuple(map(float, data['queue_veh']))
    )


def _tuning(name: str, note: dict[str, Any]) -> Tuning:
    return Tuning(
        name=name,
        parameters=note['parameters'],
        n_candidates=int(note['candidates']),
        n_finalists=int(note['finalists']),
        scales=tuple(float(demand['scale']) for demand in note['tuned_on']),
        mean_delay_s=float(note['mean_delay_s']),
        worst_finalist_delay_s=float(note['worst_finalist_delay_s']),
    )
