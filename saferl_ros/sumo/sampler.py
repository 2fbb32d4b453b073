"""Samples queues and waits of a running simulation, for judging."""

from __future__ import annotations

from typing import Any


class TrafficSampler:
    """
    Notes the queue and the longest wait every few seconds.

    :param api: libsumo or a TraCI connection.
    :param edges: the junction's approaches.
    :param every_s: time between samples [s].
    """

    def __init__(self, api: Any, edges: list[str], every_s: float = 5.0) -> None:
        self._api = api
        self._edges = edges
        self._every_s = every_s
        self._due_s = -1.0
        self.times_s: list[float] = []
        self.queue_veh: list[int] = []  # vehicles slower than 0.1 m/s on the approaches
        self.max_wait_s = 0.0  # longest time that one vehicle stood without moving
        self.max_pedestrian_wait_s = 0.0  # the same of one pedestrian

    def sample(self, sim_time_s: float) -> None:
        """Take a sample if one is due."""
        if sim_time_s < self._due_s:
            return
        self._due_s = sim_time_s + self._every_s
        api, queue_veh = self._api, 0
        for edge in self._edges:
            halting = api.edge.getLastStepHaltingNumber(edge)
            if halting:
                queue_veh += halting
                for vehicle in api.edge.getLastStepVehicleIDs(edge):
                    wait_s = api.vehicle.getWaitingTime(vehicle)
                    self.max_wait_s = max(self.max_wait_s, wait_s)
        for person in api.person.getIDList():
            wait_s = api.person.getWaitingTime(person)
            self.max_pedestrian_wait_s = max(self.max_pedestrian_wait_s, wait_s)
        self.times_s.append(sim_time_s)
        self.queue_veh.append(queue_veh)
