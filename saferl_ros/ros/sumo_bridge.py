"""Plays the street: SUMO with a cabinet at every signal, and topics for those who may advise."""

from __future__ import annotations

from functools import partial
from pathlib import Path
import secrets
import sys
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from std_msgs.msg import String

from saferl_msgs.msg import StageRequest
from saferl_msgs.srv import Rearm
from saferl_ros.bag.description import JunctionDescription
from saferl_ros.env.junction import derive_junctions, Junction
from saferl_ros.env.street_network import StreetNetwork
from saferl_ros.observation.spec import OBSERVATION_KINDS
from saferl_ros.ros import convert, diagnostics, names, qos
from saferl_ros.ros.attendance import Attendance
from saferl_ros.ros.executor import executor_of
from saferl_ros.ros.lamp_log import LampLog
from saferl_ros.ros.lock_step import LockStep
from saferl_ros.ros.pace import Pace
from saferl_ros.ros.parameters import declare, Declared
from saferl_ros.ros.program import EXIT_FAILED, EXIT_OK, run_program, Stopper
from saferl_ros.ros.request_desk import RemoteAlarm
from saferl_ros.ros.street_of import DEFAULT_SCENARIO
from saferl_ros.ros.wire import Wire
from saferl_ros.scenario import DemandVariation, load_scenario, Split
from saferl_ros.shield import CabinetMode, CabinetTick, Shield, ShieldReason
from saferl_ros.signals.clearance import PROFILES
from saferl_ros.sumo.settings import NO_SETTINGS, SignalSettings
from saferl_ros.sumo.simulation import SimulationOptions
from saferl_ros.yaml_file import read_yaml

PARAMETERS = (
    Declared(
        name='scenario', default=DEFAULT_SCENARIO, about='built-in name, .sumocfg, or .net.xml'
    ),
    Declared(name='routes', default=(), about='route files for a .net.xml'),
    Declared(name='junctions', default=(), about='signals to control; by default all'),
    Declared(
        name='observation', default='detector',
        about=f'what the detectors tell: {", ".join(OBSERVATION_KINDS)}',
    ),
    Declared(
        name='clearance', default='legal', about=f'clearance profile: {", ".join(PROFILES)}'
    ),
    Declared(
        name='signals', default='',
        about='YAML file of bounds and longer clearances, as saferl --signals; empty: none',
    ),
    Declared(
        name='horizon_s', default=0.0, bounds=(0.0, 1e6),
        about='length of the run [s]; 0: that of the scenario',
    ),
    Declared(name='seed', default=0, bounds=(0, 2**31 - 1), about='of SUMO; of varied demand too'),
    Declared(
        name='demand_scale', default=0.0, bounds=(0.0, 10.0),
        about='varied demand of this scale; 0: the nominal demand, vehicle by vehicle',
    ),
    Declared(
        name='real_time_factor', default=1.0, bounds=(0.0, 1000.0),
        about='simulated over real time; 0: as fast as the controllers answer, in lock-step',
    ),
    Declared(name='gui', default=False, about='show sumo-gui'),
    Declared(
        name='decision_s', default=5.0, bounds=(0.1, 60.0),
        about='time between requests while a stage is kept [s]',
    ),
    Declared(
        name='armed_at_start', default=False,
        about='listen to requests from the start; otherwise only after rearm',
    ),
    Declared(
        name='wait_for_others_s', default=0.0, bounds=(0.0, 600.0),
        about='hold the start until everybody who is waited for is there, at most so long [s]',
    ),
    Declared(
        name='answer_timeout_s', default=2.0, bounds=(0.01, 60.0),
        about='how long lock-step waits for a request or a listener, by the wall clock [s]',
    ),
    Declared(
        name='wait_for_shadow', default=False,
        about='lock-step waits for the shadow policy too; no lamp depends on it',
    ),
    Declared(
        name='recorder', default='',
        about='name of a recorder that is waited for too (`wait_for_others_s`); empty: none',
    ),
    Declared(name='lamp_log', default='', about='CSV file for every change of lamps; empty: none'),
)  # fmt: skip

_SPIN_S = 0.1


class SumoBridge(Node):
    """
    Sole owner of SUMO: publishes what signals and detectors show, takes requests, keeps safe.

    Every junction has sequencer, monitor, shield and fixed-time fallback of its own. A request is
    aged by this node's own clock: the steady clock in paced time, simulated time in lock-step.
    Once latched, the fallback stays until somebody calls the service ``~/rearm``.
    """

    def __init__(self) -> None:
        super().__init__('sumo_bridge')
        values = declare(self, PARAMETERS)
        self.run_id = secrets.token_hex(8)
        scenario = load_scenario(
            values['scenario'],
            routes=tuple(map(Path, values['routes'])),
            horizon_s=values['horizon_s'] or None,
        )
        junctions = derive_junctions(
            scenario,
            values['junctions'],
            clearance=values['clearance'],
            observation=values['observation'],
            settings=(
                read_yaml(Path(values['signals']), SignalSettings)
                if values['signals']
                else NO_SETTINGS
            ),
        )
        alarms = [RemoteAlarm() for _ in junctions]
        shields = [
            Shield(junction.plan, guard=alarm)
            for junction, alarm in zip(junctions, alarms, strict=True)
        ]
        scale = values['demand_scale']
        demand = DemandVariation(
            split=Split.TEST, seed=values['seed'], scale=scale or 1.0, is_nominal=not scale
        )
        self.street = StreetNetwork(
            junctions,
            shields,
            demand,
            SimulationOptions(gui=values['gui']),
            decision_s=values['decision_s'],
        )
        self._factor: float = values['real_time_factor']
        self.is_lock_step = not self._factor
        self._pace = Pace(scenario.step_s / self._factor if self._factor else 0.0)
        self._lamp_log = LampLog(Path(values['lamp_log'])) if values['lamp_log'] else None
        self._sequence = 0
        self._began_s, self._begin_s = time.monotonic(), scenario.begin_s
        self._said_s = -1e9  # when diagnostics were last published, steady clock
        if not values['armed_at_start']:
            for shield in shields:
                shield.latch(ShieldReason.OPERATOR)
        self._clock_topic = self.create_publisher(Clock, '/clock', qos.CLOCK)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', qos.LOG)
        self.create_service(Rearm, '~/rearm', self.on_rearm)
        self.wires = [
            Wire(self, at, alarm) for at, alarm in zip(self.street.at, alarms, strict=True)
        ]
        for wire in self.wires:
            wire.description.publish(String(data=_describe(wire.at.junction)))
            if values['wait_for_shadow']:
                self.create_subscription(
                    StageRequest,
                    names.topic(wire.junction_id, names.SHADOW_REQUEST),
                    partial(self.on_shadow_request, wire),
                    qos.request(),
                )
        self._executor = executor_of(self)
        self._attendance = Attendance(
            self,
            self._spin,
            self.wires,
            limit_s=values['wait_for_others_s'],
            recorder=values['recorder'],
            with_shadow=values['wait_for_shadow'],
        )
        self._lock_step = LockStep(
            self.get_logger(),
            self._spin,
            self.wires,
            answer_timeout_s=values['answer_timeout_s'],
            with_shadow=values['wait_for_shadow'],
        )

    # --- what comes in ---------------------------------------------------------------------

    def on_request(self, wire: Wire, message: StageRequest) -> None:
        """Let the desk judge a request."""
        wire.desk.receive(convert.to_request(message), self._shield_now_s())

    def on_shadow_request(self, wire: Wire, message: StageRequest) -> None:
        """Take note of how far the shadow policy is; nothing else comes of it."""
        if message.run_id == self.run_id:
            wire.shadow_answered = max(wire.shadow_answered, message.state_sequence)
            wire.is_shadow_missed = False

    def on_liveliness(self, wire: Wire, event: Any) -> None:
        """Fall back at once when the controller's process is gone or stands still."""
        wire.n_controllers = event.alive_count
        if not event.alive_count and wire.desk.source and not wire.at.shield.is_latched:
            wire.at.shield.latch(ShieldReason.SILENT)
            self.get_logger().error(
                f"junction '{wire.junction_id}': the controller {wire.desk.source} is gone; "
                'fixed-time program until somebody calls ~/rearm'
            )

    def on_incompatible(self, wire: Wire, event: Any) -> None:
        """Say why a controller's requests never arrive."""
        self.get_logger().error(
            f"junction '{wire.junction_id}': a publisher of stage requests offers a weaker "
            f'quality of service than deadline {qos.DEADLINE_S:g} s and liveliness '
            f'{qos.LEASE_S:g} s; its requests cannot be received'
        )

    def on_rearm(self, request: Rearm.Request, response: Rearm.Response) -> Rearm.Response:
        """Open the latches that an operator answers for."""
        ours = [w for w in self.wires if request.junction_id in ('', w.junction_id)]
        if not request.operator_name.strip():
            response.message = 'operator_name is empty; say who takes responsibility'
        elif not ours:
            known = ', '.join(w.junction_id for w in self.wires)
            response.message = f"junction '{request.junction_id}' is not here; there is: {known}"
        else:
            for wire in ours:
                if wire.at.cabinet.mode is CabinetMode.FLASH and request.leave_flash:
                    wire.at.cabinet.reset()
                wire.at.shield.rearm()
                wire.desk.rearm()
            flashing = [w for w in ours if w.at.cabinet.mode is CabinetMode.FLASH]
            response.success = not flashing
            response.message = (
                f'{len(flashing)} junctions flash after a monitor fault; set leave_flash too'
                if flashing
                else f're-armed by {request.operator_name}: '
                + ', '.join(w.junction_id for w in ours)
            )
        self.get_logger().info(f'rearm: {response.message}')
        return response

    # --- the loop ---------------------------------------------------------------------------

    def run(self, stopper: Stopper) -> int:
        """Run the scenario to its end."""
        stopper.on_ask(self._executor.wake)
        self.street.start()
        try:
            self._attendance.wait(stopper)
            self._began_s = time.monotonic()
            while not self.street.is_over and not stopper.is_asked:
                self._tick()
                self._publish()
                if not self.is_lock_step:
                    self._spin_until_tick(stopper)
                    continue
                self._lock_step.wait_for_answers(self.street.now_s, self._sequence, stopper)
                if self._sequence % qos.CATCH_UP_EVERY == 0:
                    self._lock_step.wait_until_caught_up(stopper)
            if self.is_lock_step:
                self._lock_step.wait_until_caught_up(stopper)
        finally:
            self.street.close()
            if self._lamp_log is not None:
                self._lamp_log.close()
        return self._sum_up(is_whole=self.street.is_over)

    def _spin(self, timeout_s: float) -> None:
        self._executor.spin_once(timeout_sec=timeout_s)

    def _shield_now_s(self) -> float:
        if not self._factor:
            return self.street.now_s
        return self._begin_s + (time.monotonic() - self._began_s) * self._factor

    def _tick(self) -> None:
        now_s = self.street.now_s
        for wire, shown in zip(self.wires, self.street.tick(self._shield_now_s()), strict=True):
            self._note(wire, shown)
            if self._lamp_log is not None:
                self._lamp_log.write(now_s, wire.junction_id, shown.lamps)

    def _note(self, wire: Wire, shown: CabinetTick) -> None:
        decision = shown.decision
        if decision is None:
            return
        wire.n_fallback_ticks += decision.is_fallback
        reason = decision.reason.value
        if wire.state.is_request_due or reason != wire.last_reason:
            wire.decisions.publish(
                convert.to_decision_message(
                    decision, state=wire.state, source=wire.desk.source, is_shadow=False
                )
            )
        if reason != wire.last_reason and decision.is_fallback:
            self.get_logger().warning(
                f"junction '{wire.junction_id}': fixed-time program, because: {reason}"
            )
        wire.last_reason = reason

    def _publish(self) -> None:
        now_s, shield_s = self.street.now_s, self._shield_now_s()
        self._sequence += 1
        self._clock_topic.publish(Clock(clock=convert.to_time(now_s)))
        for wire in self.wires:
            wire.state = convert.to_state_message(
                wire.at,
                now_s=now_s,
                run_id=self.run_id,
                sequence=self._sequence,
                fingerprint=wire.plan_fingerprint,
            )
            wire.desk.publish(self._sequence, shield_s)
            wire.readings.publish(
                convert.to_readings_message(
                    wire.at.readings(now_s), state=wire.state, fingerprint=wire.spec_fingerprint
                )
            )
            wire.states.publish(wire.state)
        if abs(time.monotonic() - self._said_s) >= 1.0:  # a clock that went back is no reason
            self._said_s = time.monotonic()
            self._say()

    def _spin_until_tick(self, stopper: Stopper) -> None:
        due_s = self._pace.next_due_s(time.monotonic())
        while not stopper.is_asked:
            left_s = due_s - time.monotonic()
            if left_s > self._pace.period_s + _SPIN_S:  # the clock went back: lamps go on
                return
            self._spin(min(max(left_s, 0.0), _SPIN_S))
            if left_s <= 0:
                return

    # --- what goes out ----------------------------------------------------------------------

    def _say(self) -> None:
        statuses = [self._status(wire) for wire in self.wires]
        self._diagnostics.publish(diagnostics.diagnostic_array(self, statuses))

    def _status(self, wire: Wire) -> Any:
        shield, cabinet = wire.at.shield, wire.at.cabinet
        level, message = diagnostics.OK, 'the controller has the junction'
        if cabinet.mode is CabinetMode.FLASH:
            level = diagnostics.ERROR
            message = 'flashing after a monitor fault; look, then ~/rearm with leave_flash'
        elif shield.latched_by is ShieldReason.OPERATOR:
            level = diagnostics.WARN
            message = 'fixed-time program, latched: operator; ~/rearm lets a policy speak'
        elif shield.latched_by is not None:
            level = diagnostics.ERROR
            message = f'fixed-time program, latched: {shield.latched_by.value}; see to it, ~/rearm'
        elif wire.last_reason == ShieldReason.OUT_OF_DISTRIBUTION.value:
            level = diagnostics.WARN
            message = 'fixed-time program while traffic is unlike the recorded one'
        refusals = {f'n {k.value}': n for k, n in sorted(shield.counts.items(), key=str)}
        return diagnostics.status(
            f'saferl bridge: {wire.junction_id}',
            level,
            message,
            {
                'controller': wire.desk.source,
                'controllers alive': wire.n_controllers,
                'sim_time_s': self.street.now_s,
                'monitor faults': cabinet.monitor.n_faults,
                'ticks under fallback': wire.n_fallback_ticks,
                **refusals,
            },
        )

    def _sum_up(self, *, is_whole: bool) -> int:
        self._say()
        faults = sum(wire.at.cabinet.monitor.n_faults for wire in self.wires)
        fallback = sum(wire.n_fallback_ticks for wire in self.wires)
        end = 'the end of the scenario' if is_whole else 'a request to stop'
        self.get_logger().info(
            f'{self._sequence} ticks to {end} at {self.street.now_s:g} s; {faults} monitor '
            f'faults; {fallback} ticks under fallback'
        )
        return EXIT_FAILED if faults else EXIT_OK


def _describe(junction: Junction) -> str:
    return JunctionDescription(
        plan=junction.plan, spec=junction.spec, scenario=junction.scenario.to_json()
    ).to_text()


def main(arguments: list[str] | None = None) -> int:
    """Run the node."""
    return run_program(SumoBridge, 'sumo_bridge', arguments or sys.argv)


if __name__ == '__main__':
    sys.exit(main())
