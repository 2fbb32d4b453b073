"""Reads SUMO's trip and statistics files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from saferl_ros.sumo.simulation import PET_S, TTC_S


@dataclass(frozen=True, slots=True, kw_only=True)
class TripSummary:
    """
    One episode's trips, every scheduled vehicle counted.

    Vehicles still on the road, and those that never got in, count with what they had lost by the
    end: RESCO's definition of delay (Ault and Sharon, 2021).
    """

    n_vehicles: int
    delay_s: float  # mean of time lost + departure delay
    travel_time_s: float  # mean of time on the road + departure delay
    waiting_s: float  # mean time standing (below 0.1 m/s) + departure delay
    stops: float  # mean number of stops
    throughput_veh: int  # vehicles that arrived
    not_inserted_veh: int
    emergency_brakings: int
    collisions: int
    teleports: int
    n_pedestrians: int
    pedestrian_delay_s: float  # mean time that walkers lost against walking freely
    pedestrian_waiting_s: float  # mean time that they stood
    co2_g: float = 0.0  # mean carbon dioxide of a vehicle; zero too where nobody measured


def read_trips(tripinfo_file: Path, statistics_file: Path) -> TripSummary:
    """
    Return the summary of one closed simulation.

    :param tripinfo_file: written with unfinished and undeparted vehicles.
    :param statistics_file: SUMO's statistics output of the same run.
    """
    n = arrived = not_inserted = 0
    n_pedestrians = 0
    co2_mg = delay_s = travel_s = waiting_s = stops = walk_delay_s = stood_s = 0.0
    for _, element in ElementTree.iterparse(tripinfo_file):
        if element.tag == 'personinfo':
            n_pedestrians += 1
            walk_delay_s += float(element.get('timeLoss', 0))
            stood_s += float(element.get('waitingTime', 0))
            element.clear()
        if element.tag != 'tripinfo':
            continue
        n += 1
        depart_delay_s = float(element.get('departDelay', 0))
        delay_s += float(element.get('timeLoss', 0)) + depart_delay_s
        travel_s += float(element.get('duration', 0)) + depart_delay_s
        waiting_s += float(element.get('waitingTime', 0)) + depart_delay_s
        stops += float(element.get('waitingCount', 0))
        arrived += float(element.get('arrival', -1)) >= 0
        not_inserted += float(element.get('depart', -1)) < 0
        emissions = element.find('emissions')
        co2_mg += 0.0 if emissions is None else float(emissions.get('CO2_abs', 0))
        element.clear()
    statistics = ElementTree.parse(statistics_file).getroot()

    def count(tag: str, name: str) -> int:
        found = statistics.find(tag)
        return 0 if found is None else int(float(found.get(name, 0)))

    share, walk_share = 1.0 / max(1, n), 1.0 / max(1, n_pedestrians)
    return TripSummary(
        n_vehicles=n,
        delay_s=delay_s * share,
        travel_time_s=travel_s * share,
        waiting_s=waiting_s * share,
        stops=stops * share,
        throughput_veh=arrived,
        not_inserted_veh=not_inserted,
        emergency_brakings=count('safety', 'emergencyBraking'),
        collisions=count('safety', 'collisions'),
        teleports=count('teleports', 'total'),
        n_pedestrians=n_pedestrians,
        pedestrian_delay_s=walk_delay_s * walk_share,
        pedestrian_waiting_s=stood_s * walk_share,
        co2_g=co2_mg / 1000 * share,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Collision:
    """Two vehicles that ran into each other, for who wants to see it happen."""

    time_s: float
    lane_id: str
    collider_id: str
    victim_id: str


def read_collisions(collision_file: Path) -> list[Collision]:
    """Return the collisions of one closed simulation; without any, SUMO may make no file."""
    if not collision_file.exists():
        return []
    return [
        Collision(
            time_s=float(element.get('time', 0)),
            lane_id=element.get('lane', ''),
            collider_id=element.get('collider', ''),
            victim_id=element.get('victim', ''),
        )
        for element in ElementTree.parse(collision_file).getroot().iter('collision')
    ]


def count_conflicts(conflict_file: Path) -> int:
    """
    Return how many near misses the watching vehicles noted.

    A near miss is a time to collision or a post-encroachment time below the thresholds of
    ``sumo.simulation`` (SUMO's surrogate safety measures).
    """
    n = 0
    if not conflict_file.is_file():  # so little traffic that no vehicle watched
        return n
    for _, element in ElementTree.iterparse(conflict_file):
        if element.tag == 'conflict':
            n += _below(element.find('minTTC'), TTC_S) or _below(element.find('PET'), PET_S)
            element.clear()
    return n


def _below(measure: ElementTree.Element | None, threshold_s: float) -> bool:
    value = 'NA' if measure is None else measure.get('value', 'NA')
    return value != 'NA' and float(value) < threshold_s
