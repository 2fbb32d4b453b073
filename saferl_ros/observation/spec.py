"""Which features a policy sees, in which order, with unit, range and source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
import hashlib
import json
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from saferl_ros.errors import BundleError, UsageError

OBSERVATION_KINDS = ('detector', 'neighbours', 'ideal', 'sumo_rl')
STREET_KINDS = ('detector', 'neighbours')  # what detectors in a street can tell
SPEC_VERSION = 2

Span = tuple[str, float, float]  # lane, from position, to position [m]

VEHICLE_SPACE_M = 7.5  # SUMO's default vehicle length 5 m + gap 2.5 m
COUNT_SCALE_VEH = 10.0
TIME_SCALE_S = 60.0
MAX_TIME = 4.0  # times are cut at four time scales, four minutes
WAITING_SCALE_S = 300.0
MAX_WAITING = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneDetector:
    """A detector that ends at the stop line of one approach lane."""

    lane_id: str
    length_m: float  # span of the detector, back from the stop line
    lane_length_m: float  # the whole lane
    upstream: tuple[Span, ...] = ()  # where the detector goes on, before a short lane begins

    @property
    def reach_m(self) -> float:
        """The length of road that the detector covers, branches added up [m]."""
        return self.length_m + sum(end_m - start_m for _, start_m, end_m in self.upstream)

    @property
    def capacity_veh(self) -> float:
        """How many vehicles fit on the detector."""
        return max(1.0, self.reach_m / VEHICLE_SPACE_M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approach:
    """
    One approach: its advance detectors, upstream of the lane detectors.

    What ``neighbours`` sees beyond is kept in the same way: ``<edge>_upstream`` are the last
    metres of the roads that lead to an approach, ``<edge>_exit`` the first of one that leads away.
    """

    edge_id: str
    spans: tuple[Span, ...]

    @property
    def capacity_veh(self) -> float:
        """How many vehicles fit on all its advance detectors together."""
        return max(1.0, sum(end - start for _, start, end in self.spans) / VEHICLE_SPACE_M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One entry of the feature vector."""

    name: str
    unit: str
    low: float
    high: float
    source: str  # where a real junction would get it


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationSpec:
    """
    The feature vector of one junction; environment, record, bundle and node hold the same.

    :raises UsageError: if ``kind`` is unknown.
    """

    kind: str
    n_stages: int
    lanes: tuple[LaneDetector, ...]
    approaches: tuple[Approach, ...]
    max_green_s: float
    version: int = SPEC_VERSION

    def __post_init__(self) -> None:
        if self.kind not in OBSERVATION_KINDS:
            raise UsageError(
                f"observation '{self.kind}' is unknown; choose one of "
                f'{", ".join(OBSERVATION_KINDS)}'
            )

    def features(self) -> list[Feature]:
        """Return the features in the order of the vector."""
        return list(self._sumo_rl() if self.kind == 'sumo_rl' else self._own())

    def _own(self) -> Iterator[Feature]:
        def make(name: str, unit: str, high: float, source: str) -> Feature:
            return Feature(name=name, unit=unit, low=0.0, high=high, source=source)

        controller = 'signal controller'
        for stage in range(self.n_stages):
            yield make(f'stage_{stage}_shows', '-', 1.0, controller)
        yield make('green_elapsed', f'{TIME_SCALE_S:g} s', MAX_TIME, controller)
        for stage in range(self.n_stages):
            yield make(f'stage_{stage}_since_served', f'{TIME_SCALE_S:g} s', MAX_TIME, controller)
        for stage in range(self.n_stages):
            yield make(f'stage_{stage}_is_legal', '-', 1.0, controller)
        near = 'lane-area detector' if self.kind in STREET_KINDS else 'the simulator alone'
        far = 'advance detector' if self.kind in STREET_KINDS else 'the simulator alone'
        vehicles = f'{COUNT_SCALE_VEH:g} veh'
        for lane in self.lanes:
            high = 2 * lane.capacity_veh / COUNT_SCALE_VEH
            yield make(f'{lane.lane_id}_queue', vehicles, high, near)
        for lane in self.lanes:
            high = 2 * lane.capacity_veh / COUNT_SCALE_VEH
            yield make(f'{lane.lane_id}_moving', vehicles, high, near)
        for lane in self.lanes:
            yield make(f'{lane.lane_id}_occupancy', 'ratio', 1.0, near)
        if self.kind == 'ideal':
            for lane in self.lanes:
                yield make(f'{lane.lane_id}_waiting', f'{WAITING_SCALE_S:g} s', MAX_WAITING, near)
        for approach in self.approaches:
            high = 2 * approach.capacity_veh / COUNT_SCALE_VEH
            yield make(f'{approach.edge_id}_advance_queue', vehicles, high, far)
        for approach in self.approaches:
            high = 2 * approach.capacity_veh / COUNT_SCALE_VEH
            yield make(f'{approach.edge_id}_advance_moving', vehicles, high, far)

    def _sumo_rl(self) -> Iterator[Feature]:
        names = [f'stage_{stage}_shows' for stage in range(self.n_stages)]
        names += ['min_green_is_over']
        names += [f'{lane.lane_id}_density' for lane in self.lanes]
        names += [f'{lane.lane_id}_queue' for lane in self.lanes]
        for name in names:
            yield Feature(
                name=name, unit='-', low=0.0, high=1.0, source="sumo-rl's default observation"
            )

    @property
    def size(self) -> int:
        """Length of the feature vector."""
        return self.high().size

    def low(self) -> npt.NDArray[np.float32]:
        """Return the lowest values, shape ``(size,)``."""
        return np.array([feature.low for feature in self.features()], dtype=np.float32)

    def high(self) -> npt.NDArray[np.float32]:
        """Return the highest values, shape ``(size,)``."""
        return np.array([feature.high for feature in self.features()], dtype=np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return the spec as JSON-ready data; ``from_json`` is its inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """
        Return the spec that ``to_json`` wrote.

        :raises BundleError: if a field is missing or unknown, or the version is another one.
        """
        try:
            if data['version'] != SPEC_VERSION:
                raise BundleError(
                    f'observation spec of version {data["version"]}; this release reads version '
                    f'{SPEC_VERSION}'
                )
            return cls(
                **{
                    **data,
                    'lanes': tuple(
                        LaneDetector(**{**lane, 'upstream': _spans(lane['upstream'])})
                        for lane in data['lanes']
                    ),
                    'approaches': tuple(
                        Approach(edge_id=a['edge_id'], spans=_spans(a['spans']))
                        for a in data['approaches']
                    ),
                }
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f'not an observation spec: {error}') from error

    def fingerprint(self) -> str:
        """Return a short hash of the spec; equal specs have equal hashes."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(',', ':'))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _spans(data: list[list[Any]]) -> tuple[Span, ...]:
    return tuple((lane, start_m, end_m) for lane, start_m, end_m in data)


def make_spec(
    kind: str,
    *,
    n_stages: int,
    max_green_s: float,
    lanes: tuple[LaneDetector, ...],
    approaches: tuple[Approach, ...],
) -> ObservationSpec:
    """Return the spec of a kind; ``sumo_rl`` sees no advance detectors."""
    return ObservationSpec(
        kind=kind,
        n_stages=n_stages,
        lanes=lanes,
        approaches=() if kind == 'sumo_rl' else approaches,
        max_green_s=max_green_s,
    )
