"""
Max-pressure control: show the stage whose movements have the most to move.

Pressure of a stage = vehicles on the lanes it serves minus the mean of those on the lanes it feeds
(Varaiya 2013). A naive version switches at every whim and loses much green to clearances, and does
not see the queue where a network splits the road before a short approach; the parameters here are
what makes it a fair opponent, and they are tuned on training demand.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from pydantic import BaseModel, ConfigDict

from saferl_ros.control.controller import Decision, Moment
from saferl_ros.naming import edge_of
from saferl_ros.observation.spec import ObservationSpec
from saferl_ros.signals import SignalPlan
from saferl_ros.signals.plan import GREEN_LAMPS


class MaxPressureConfig(BaseModel):
    """What is tuned."""

    model_config = ConfigDict(frozen=True, extra='forbid')

    min_hold_s: float = 5.0  # a stage is kept at least this long
    margin_veh: float = 0.0  # how much more pressure another stage needs to take over
    halting_only: bool = False  # count standing vehicles alone
    sees_upstream: bool = False  # count those on the lanes that lead to short approaches too


class MaxPressure:
    """
    :param plan: the junction's plan.
    :param config: the tuned parameters.
    :param spec: the junction's detectors, for the lanes that lead to short ones.
    """

    def __init__(
        self, plan: SignalPlan, config: MaxPressureConfig, spec: ObservationSpec | None = None
    ) -> None:
        self._config = config
        self._upstream = _upstream_lanes(spec) if spec is not None and config.sees_upstream else {}
        lanes = {lane for link in plan.links for lane, _ in link.ways}
        self._n_lanes = Counter(map(edge_of, lanes))
        self._served: list[list[tuple[str, list[str]]]] = []
        for stage in plan.stages:
            fed: dict[str, list[str]] = {}
            for link, lamp in zip(plan.links, stage.lamps, strict=True):
                if lamp in GREEN_LAMPS:
                    for lane, out in link.ways:
                        fed.setdefault(lane, []).append(out)
            self._served.append(list(fed.items()))

    def decide(self, moment: Moment) -> Decision:
        """Return the stage with the highest pressure, or the running one if that is close."""
        signal = moment.signal
        if signal.legal[signal.stage] and signal.green_elapsed_s < self._config.min_hold_s - 1e-6:
            return Decision(stage=signal.stage)
        pressures = [
            self._pressure(moment, stage) if legal else -np.inf
            for stage, legal in enumerate(signal.legal)
        ]
        best = int(np.argmax(pressures))
        if pressures[best] <= pressures[signal.stage] + self._config.margin_veh:
            best = signal.stage
        return Decision(stage=best)

    def _pressure(self, moment: Moment, stage: int) -> float:
        halting = self._config.halting_only
        return sum(
            moment.lane_veh(lane, halting)
            + self._waiting_behind(moment, edge_of(lane))
            - sum(moment.lane_veh(out, halting) for out in outs) / len(outs)
            for lane, outs in self._served[stage]
        )

    def _waiting_behind(self, moment: Moment, edge: str) -> float:
        """Return one lane's share of the vehicles on the lanes that lead to its approach."""
        halting = self._config.halting_only
        behind = sum(moment.lane_veh(lane, halting) for lane in self._upstream.get(edge, ()))
        return behind / max(1, self._n_lanes[edge])


def _upstream_lanes(spec: ObservationSpec) -> dict[str, list[str]]:
    """Return the lanes of other edges that the detectors of each approach lie on."""
    seen = [(approach.edge_id, span) for approach in spec.approaches for span in approach.spans]
    seen += [(edge_of(lane.lane_id), span) for lane in spec.lanes for span in lane.upstream]
    lanes: dict[str, dict[str, None]] = {}  # each once, in order
    for edge, (lane_id, _, _) in seen:
        if edge_of(lane_id) != edge:
            lanes.setdefault(edge, {})[lane_id] = None
    return {edge: list(found) for edge, found in lanes.items()}
