"""One junction of a running street: its cabinet, its detectors and its lamps in SUMO."""

from __future__ import annotations

from typing import Any

from saferl_ros.env.calls import Calls
from saferl_ros.env.junction import DECISION_S, Junction
from saferl_ros.env.junction_control import view_signal
from saferl_ros.observation import DetectorReadings, SignalView
from saferl_ros.shield import Cabinet, CabinetTick, DetectorWatch, Shield
from saferl_ros.sumo.detectors import DetectorReader


class StreetJunction:
    """
    A cabinet that SUMO's traffic passes.

    A tick has two halves, so that several junctions can share one simulation: ``show`` decides and
    sets the lamps, then SUMO takes its step, then ``look`` reads who has arrived.

    :param junction: what ``Junction.derive`` returned.
    :param shield: judges proposals; for this junction's plan.
    :param decision_s: time between decisions while a stage is kept [s].
    """

    def __init__(
        self, junction: Junction, shield: Shield, *, decision_s: float = DECISION_S
    ) -> None:
        plan, lanes = junction.plan, {lane.lane_id for lane in junction.spec.lanes}
        self.junction = junction
        self.shield = shield
        self.cabinet = Cabinet(
            plan,
            shield,
            step_s=junction.scenario.step_s,
            decision_s=decision_s,
            watch=DetectorWatch(
                plan.n_links,
                has_detector=[any(lane in lanes for lane, _ in link.ways) for link in plan.links],
            ),
        )
        self.lamps = ''  # that show; empty before the first tick
        self._calls = Calls(plan, junction.spec)

    def attach(self, api: Any) -> None:
        """
        Use this running simulation.

        :param api: libsumo or a TraCI connection, started with the junction's detectors.
        """
        self._api = api
        self._reader = DetectorReader(api, self.junction.spec, self.junction.network)

    @property
    def calls(self) -> tuple[bool, ...]:
        """Whether somebody waits at each movement, shape ``(n_links,)``."""
        return self._calls.now

    def signal_view(self) -> SignalView:
        """Return what the controller itself knows now."""
        return view_signal(self.cabinet.sequencer)

    def readings(self, now_s: float) -> DetectorReadings:
        """Return what the detectors report now."""
        return self._reader.read(now_s)

    def show(self, now_s: float, clock_s: float) -> CabinetTick:
        """
        Let the cabinet tick, and set the lamps in SUMO.

        :param now_s: a clock that does not jump [s]; proposals are aged by it.
        :param clock_s: the coordination clock [s].
        """
        shown = self.cabinet.tick(now_s, clock_s, self._calls.now)
        if shown.lamps != self.lamps:
            junction_id = self.junction.plan.junction_id
            self._api.trafficlight.setRedYellowGreenState(junction_id, shown.lamps)
            self.lamps = shown.lamps
            self._calls.show(shown.lamps)
        return shown

    def look(self) -> None:
        """Read who has arrived, after SUMO's step."""
        if self._calls.is_open:
            self._calls.read(self._reader.counters)
