"""Plays the street: SUMO with a cabinet at every signal, and topics for those who may advise."""

from __future__ import annotations

from functools import partial
from pathlib import Path
import secrets
import sys
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.duration import Duration
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from std_msgs.msg import String

from saferl_msgs.msg import DetectorReadings, ShieldDecision, SignalState, StageRequest
from saferl_msgs.srv import Rearm
from saferl_ros.bag.cadence import Cadence
from saferl_ros.bag.description import JunctionDescription
from saferl_ros.env.junction import DECISION_S, derive_junctions, Junction
from saferl_ros.env.street_junction import StreetJunction
from saferl_ros.env.street_network import StreetNetwork
from saferl_ros.ros import convert, diagnostics, names, qos
from saferl_ros.ros.executor import executor_of
from saferl_ros.ros.lamp_log import LampLog
from saferl_ros.ros.parameters import declare, Declared
from saferl_ros.ros.program import EXIT_FAILED, EXIT_OK, run_program, Stopper
from saferl_ros.ros.request_desk import RemoteAlarm, RequestDesk
from saferl_ros.scenario import DemandVariation, load_scenario, Split
from saferl_ros.shield import CabinetMode, CabinetTick, Shield, ShieldReason
from saferl_ros.sumo.simulation import SimulationOptions

PARAMETERS = (
    Declared(name='scenario', default='cologne1', about='built-in name, .sumocfg, or .net.xml'),
    Declared(name='routes', default=(), about='route files for a .net.xml'),
    Declared(name='junctions', default=(), about='signals to control; by default all'),
    Declared(name='observation', default='detector', about='as in saferl record'),
    Declared(
        name='horizon_s', default=0.0, bounds=(0.0, 1e6),
        about='length of the run [s]; 0: that of the scenario',
    ),
    Declared(name='seed', default=0, bounds=(0, 2**31 - 1), about='of SUMO and of the demand'),
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
        about='name of a recorder without whose ears the run does not start; empty: none',
    ),
    Declared(name='lamp_log', default='', about='CSV file for every change of lamps; empty: none'),
)  # fmt: skip

_SPIN_S = 0.1
_LOOK_S = 0.02  # at a time, for what listeners acknowledged
_SETTLE_S = 0.3  # between seeing others in the graph and their hearing us
_RECORDED = (names.SIGNAL_STATE, names.DETECTORS, names.STAGE_REQUEST, names.SHIELD_DECISION)


class _Wire:
    """One junction's topics."""

    def __init__(self, node: SumoBridge, at: StreetJunction, alarm: RemoteAlarm) -> None:
        self.at = at
        self.desk = RequestDesk(at.shield, alarm, node.run_id)
        self.junction_id = at.junction.plan.junction_id
        self.plan_fingerprint = at.junction.plan.fingerprint()
        self.spec_fingerprint = at.junction.spec.fingerprint()
        self.state = SignalState()
        self.n_controllers = 0  # that are alive
        self.last_reason = ''
        self.n_fallback_ticks = 0
        self.shadow_answered = 0
        self.is_shadow_missed = False  # it did not answer in time; until it does again
        self.cadence = Cadence(DECISION_S)  # that of a shadow policy

        def publish(message: type, name: str, profile: Any) -> Any:
            return node.create_publisher(message, names.topic(self.junction_id, name), profile)

        state = qos.LOCK_STEP_STATE if node.is_lock_step else qos.STATE
        self.states = publish(SignalState, names.SIGNAL_STATE, state)
        self.readings = publish(DetectorReadings, names.DETECTORS, state)
        self.decisions = publish(ShieldDecision, names.SHIELD_DECISION, qos.LOG)
        self.description = publish(String, names.DESCRIPTION, qos.DESCRIPTION)
        node.create_subscription(
            StageRequest,
            names.topic(self.junction_id, names.STAGE_REQUEST),
            partial(node.on_request, self),
            qos.request(),
            event_callbacks=SubscriptionEventCallbacks(
                liveliness=partial(node.on_liveliness, self),
                incompatible_qos=partial(node.on_incompatible, self),
            ),
        )


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
            scenario, values['junctions'], observation=values['observation']
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
        self._answer_timeout_s = values['answer_timeout_s']
        self._wait_for_others_s = values['wait_for_others_s']
        self._wait_for_shadow = values['wait_for_shadow']
        self._recorder = values['recorder']
        self._is_left_behind = False  # a listener did not keep up; until all do again
        self._lamp_log = LampLog(Path(values['lamp_log'])) if values['lamp_log'] else None
        self._sequence = 0
        self._shield_s = scenario.begin_s  # the shield's clock
        self._began_s, self._begin_s = time.monotonic(), scenario.begin_s
        self._said_s = -1e9  # when diagnostics were last published, steady clock
        if not values['armed_at_start']:
            for shield in shields:
                shield.latch(ShieldReason.OPERATOR)
        self._clock_topic = self.create_publisher(Clock, '/clock', qos.CLOCK)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', qos.LOG)
        self.create_service(Rearm, '~/rearm', self.on_rearm)
        self.wires = [
            _Wire(self, at, alarm) for at, alarm in zip(self.street.at, alarms, strict=True)
        ]
        for wire in self.wires:
            wire.description.publish(String(data=_describe(wire.at.junction)))
            if self._wait_for_shadow:
                self.create_subscription(
                    StageRequest,
                    names.topic(wire.junction_id, names.SHADOW_REQUEST),
                    partial(self.on_shadow_request, wire),
                    qos.request(),
                )
        self._executor = executor_of(self)

    # --- what comes in ---------------------------------------------------------------------

    def on_request(self, wire: _Wire, message: StageRequest) -> None:
        """Let the desk judge a request."""
        wire.desk.receive(convert.to_request(message), self._shield_now_s())

    def on_shadow_request(self, wire: _Wire, message: StageRequest) -> None:
        """Take note of how far the shadow policy is; nothing else comes of it."""
        if message.run_id == self.run_id:
            wire.shadow_answered = max(wire.shadow_answered, message.state_sequence)
            wire.is_shadow_missed = False

    def on_liveliness(self, wire: _Wire, event: Any) -> None:
        """Fall back at once when the controller's process is gone or stands still."""
        wire.n_controllers = event.alive_count
        if not event.alive_count and wire.desk.source and not wire.at.shield.is_latched:
            wire.at.shield.latch(ShieldReason.SILENT)
            self.get_logger().error(
                f"junction '{wire.junction_id}': the controller {wire.desk.source} is gone; "
                'fixed-time program until somebody calls ~/rearm'
            )

    def on_incompatible(self, wire: _Wire, event: Any) -> None:
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
            self._wait_for_others(stopper)
            self._began_s = time.monotonic()
            while not self.street.is_over and not stopper.is_asked:
                self._tick()
                self._publish()
                if not self.is_lock_step:
                    self._spin_until_tick(stopper)
                    continue
                self._spin_until_answered(stopper)
                if self._sequence % qos.CATCH_UP_EVERY == 0:
                    self._spin_until_caught_up(stopper)
            if self.is_lock_step:
                self._spin_until_caught_up(stopper)
        finally:
            self.street.close()
            if self._lamp_log is not None:
                self._lamp_log.close()
        return self._sum_up(is_whole=self.street.is_over)

    def _spin(self, timeout_s: float) -> None:
        self._executor.spin_once(timeout_sec=timeout_s)

    def _wait_for_others(self, stopper: Stopper) -> None:
        """Hold the start until controllers, shadow policy and recorder are there, if asked to."""
        until_s = time.monotonic() + self._wait_for_others_s
        missing = self._missing()
        while missing and time.monotonic() < until_s and not stopper.is_asked:
            self._spin(_SPIN_S)
            missing = self._missing()
        if self._wait_for_others_s and missing and not stopper.is_asked:
            self.get_logger().warning(
                f'nobody within {self._wait_for_others_s:g} s for: {", ".join(missing)}'
            )
        elif self._wait_for_others_s:
            self._spin_for(_SETTLE_S)

    def _missing(self) -> list[str]:
        """Return who is waited for and not there yet, in words."""
        missing = [f'{w.junction_id} (controller)' for w in self.wires if not w.n_controllers]
        for wire in self.wires:
            shadow = names.topic(wire.junction_id, names.SHADOW_REQUEST)
            if self._wait_for_shadow and not self.count_publishers(shadow):
                missing.append(f'{wire.junction_id} (shadow policy)')
            if self._recorder and not all(
                self._is_heard(names.topic(wire.junction_id, name))
                for name in (*_RECORDED, *[names.SHADOW_REQUEST] * self._wait_for_shadow)
            ):
                missing.append(f'{wire.junction_id} ({self._recorder})')
        return missing

    def _is_heard(self, topic: str) -> bool:
        """Whether the recorder listens to a topic."""
        ears = self.get_subscriptions_info_by_topic(self.resolve_topic_name(topic))
        return any(ear.node_name == self._recorder for ear in ears)

    def _spin_for(self, time_s: float) -> None:
        until_s = time.monotonic() + time_s
        while (left_s := until_s - time.monotonic()) > 0:
            self._spin(min(left_s, _SPIN_S))

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

    def _note(self, wire: _Wire, shown: CabinetTick) -> None:
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
        due_s = self._began_s + (self.street.now_s - self._begin_s) / self._factor
        tick_s = self.street.scenario.step_s / self._factor
        due_s = min(due_s, time.monotonic() + tick_s)
        while not stopper.is_asked:
            left_s = due_s - time.monotonic()
            if left_s > tick_s + _SPIN_S:  # the clock went back: the lamps go on all the same
                return
            self._spin(min(max(left_s, 0.0), _SPIN_S))
            if left_s <= 0:
                return

    def _spin_until_answered(self, stopper: Stopper) -> None:
        until_s = time.monotonic() + self._answer_timeout_s
        shadows = [wire for wire in self.wires if self._is_shadow_due(wire)]
        self._spin(0.0)
        while not stopper.is_asked:
            shadows = [wire for wire in shadows if wire.shadow_answered < self._sequence]
            if not shadows and not any(map(self._is_open, self.wires)):
                return
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                for wire in shadows:
                    wire.is_shadow_missed = True
                return
            self._spin(min(left_s, _SPIN_S))

    def _spin_until_caught_up(self, stopper: Stopper) -> None:
        """Let those who listen, a recorder above all, take in what was published."""
        wait_s = 0.0 if self._is_left_behind else self._answer_timeout_s
        until_s = time.monotonic() + wait_s
        while not self._is_caught_up():
            if stopper.is_asked:
                return
            if time.monotonic() >= until_s:
                if not self._is_left_behind:
                    self.get_logger().warning(
                        f'somebody who listens did not keep up for {wait_s:g} s; the run goes on '
                        'and is no longer slowed down for them, a recording may have gaps'
                    )
                self._is_left_behind = True
                return
            self._spin(0.0)
        self._is_left_behind = False

    def _is_caught_up(self) -> bool:
        """Whether all who listen have every state; decisions are fewer than are kept of them."""
        look = Duration(seconds=_LOOK_S)
        return all(
            topic.wait_for_all_acked(look)
            for wire in self.wires
            for topic in (wire.states, wire.readings)
        )

    def _is_open(self, wire: _Wire) -> bool:
        """Whether a controller that is in charge has yet to answer the newest state."""
        return (
            wire.state.is_request_due
            and wire.n_controllers > 0
            and not wire.at.shield.is_latched
            and wire.desk.answered < self._sequence
        )

    def _is_shadow_due(self, wire: _Wire) -> bool:
        state = wire.state
        is_due = wire.cadence.is_due(
            self.street.now_s, state.stage, state.legal_stages, is_clearing=state.is_clearing
        )
        return is_due and self._wait_for_shadow and not wire.is_shadow_missed

    # --- what goes out ----------------------------------------------------------------------

    def _say(self) -> None:
        statuses = [self._status(wire) for wire in self.wires]
        self._diagnostics.publish(diagnostics.diagnostic_array(self, statuses))

    def _status(self, wire: _Wire) -> Any:
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
