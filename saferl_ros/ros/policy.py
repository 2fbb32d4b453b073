"""The learned policy as a lifecycle node: in shadow, as advice, or in command."""

from __future__ import annotations

from functools import partial
from pathlib import Path
import secrets
import sys
import time
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

from saferl_msgs.msg import (
    DetectorReadings,
    PolicyStatus,
    ShieldDecision,
    SignalState,
    StageRequest,
)
from saferl_msgs.srv import SetMode
from saferl_ros.bundle.folders import find_bundles
from saferl_ros.bundle.load import Bundle, load_bundle
from saferl_ros.errors import BundleError, UsageError
from saferl_ros.ros import convert, diagnostics, names, qos
from saferl_ros.ros.executor import executor_of
from saferl_ros.ros.lifecycle import SteadyLifecycleNode, SUCCESS
from saferl_ros.ros.misfit import misfit
from saferl_ros.ros.parameters import declare, Declared
from saferl_ros.ros.policy_desk import Moment, PolicyDesk
from saferl_ros.ros.program import EXIT_FAILED, EXIT_OK, run_program, Stopper
from saferl_ros.shield import ShieldReason

PARAMETERS = (
    Declared(name='bundles', default=(), about='policy bundles, or folders of them'),
    Declared(name='mode', default='shadow', about='shadow, advisory or active'),
    Declared(
        name='allow_ungated', default=False,
        about='let a bundle without a passed gate command; diagnostics then warn',
    ),
    Declared(name='autostart', default=False, about='configure and activate by itself'),
    Declared(
        name='max_silence_s', default=5.0, bounds=(0.1, 3600.0),
        about='wall time without a state, or without its readings, after which diagnostics tell '
        'an error [s]',
    ),
)  # fmt: skip

STATUS_PERIOD_S = 1.0
_SPIN_S = 0.2
_MODE_NUMBERS = {
    'shadow': PolicyStatus.MODE_SHADOW,
    'advisory': PolicyStatus.MODE_ADVISORY,
    'active': PolicyStatus.MODE_ACTIVE,
}


def check_mode(mode: str, bundles: list[Bundle], *, allow_ungated: bool) -> None:
    """
    Refuse a mode that does not exist, or that these bundles may not have.

    :raises UsageError: if the mode is unknown.
    :raises BundleError: if a bundle is to command without a passed gate.
    """
    if mode not in names.MODES:
        raise UsageError(f"mode '{mode}' is unknown; choose one of {', '.join(names.MODES)}")
    if mode != 'active':
        return
    for bundle in bundles:
        clearance = bundle.plan.clearance
        if clearance == 'resco':
            raise BundleError(
                f"bundle '{bundle.folder}' was made with the clearances 'resco', which are for "
                'comparison with published figures only; it may never command'
            )
        if not has_passed(bundle) and not allow_ungated:
            raise BundleError(
                f"bundle '{bundle.folder}' carries no passed gate, so it may not command; run "
                "'saferl gate' on its evaluation, use mode shadow, or for a simulation set the "
                "parameter allow_ungated ('saferl sim --allow-ungated')"
            )


def has_passed(bundle: Bundle) -> bool:
    """Whether the bundle carries a passed gate."""
    return bool((bundle.manifest.gate or {}).get('passed'))


def looser_limits(bundle: Bundle) -> str:
    """Return in words what made the gate easier to pass than it is by default, if anything did."""
    return ', '.join((bundle.manifest.gate or {}).get('looser', ()))


class _Seat:
    """A policy at its junction: desk, subscriptions, and the one publisher that its mode has."""

    def __init__(self, node: PolicyNode, bundle: Bundle) -> None:
        self.bundle = bundle
        self.desk = PolicyDesk(bundle, decision_s=bundle.manifest.decision_s)
        self.digest = bundle.manifest.contents  # a verdict of the gate changes it not
        self.junction_id = bundle.manifest.junction_id
        self.readings: DetectorReadings | None = None
        self.state: SignalState | None = None
        self.stamp = Time()  # of the last state
        self.arrived_s = -1.0  # when it arrived, steady clock
        self.matched_s = -1.0  # when a state last had its readings; at first, when one arrived
        self.is_flash = False
        self.problem = ''
        self.clock_note = ''
        self.subscriptions: list[Any] = []
        self.requests: Any = None
        self.decisions: Any = None
        self.status = node.create_publisher(
            PolicyStatus, names.topic(self.junction_id, names.POLICY_STATUS), qos.LOG
        )


class PolicyNode(SteadyLifecycleNode):
    """
    Decides for the junctions of its bundles.

    Configure loads and checks the bundles, activate starts to listen, deactivate stops, cleanup
    forgets. The mode decides which topic the requests go to; only in ``active`` is there a
    publisher on ``stage_request``, so in the other modes the node cannot command by mistake.
    """

    def __init__(self) -> None:
        super().__init__('policy')
        self._values = declare(self, PARAMETERS)
        self.mode = self._values['mode']
        self._seats: list[_Seat] = []
        self._source = ''
        self._sequence = 0
        self._timer: Any = None
        self._set_mode: Any = None
        self._is_active = False
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', qos.LOG)

    # --- life -------------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the bundles; fails on any that is missing, changed, foreign or may not command."""
        super().on_configure(state)
        return self.guarded('configure', self._configure)

    def _configure(self) -> None:
        places = [Path(name) for name in self._values['bundles'] if name]
        folders = [folder for place in places for folder in find_bundles(place)]
        if not folders:
            raise UsageError("parameter 'bundles' is empty; give the folder of a policy bundle")
        bundles = [load_bundle(folder) for folder in folders]
        ids = [bundle.manifest.junction_id for bundle in bundles]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise UsageError(f"two bundles are for junction '{twice[0]}'; give one a junction")
        check_mode(self.mode, bundles, allow_ungated=self._values['allow_ungated'])
        self._source = f'{self.get_fully_qualified_name()}#{secrets.token_hex(4)}'
        self._sequence = 0
        self._seats = [_Seat(self, bundle) for bundle in bundles]
        self._set_mode = self.create_service(SetMode, '~/set_mode', self.on_set_mode)
        self.get_logger().info(f'{len(bundles)} bundles for {", ".join(ids)}; mode {self.mode}')

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start to listen and to decide."""
        super().on_activate(state)
        return self.guarded('activate', self._activate)

    def _activate(self) -> None:
        for seat in self._seats:
            seat.desk.restart()
            self._open_publishers(seat)
            seat.subscriptions = [
                self.create_subscription(
                    DetectorReadings,
                    names.topic(seat.junction_id, names.DETECTORS),
                    partial(self.on_readings, seat),
                    qos.STATE,
                ),
                self.create_subscription(
                    SignalState,
                    names.topic(seat.junction_id, names.SIGNAL_STATE),
                    partial(self.on_state, seat),
                    qos.STATE,
                ),
            ]
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(STATUS_PERIOD_S, self.say, clock=steady)
        self._is_active = True

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop to listen; no request is sent any more."""
        super().on_deactivate(state)
        return self.guarded('deactivate', self._fall_silent)

    def _fall_silent(self) -> None:
        self._is_active = False
        if self._timer is not None:
            self.destroy_timer(self._timer)
            self._timer = None
        for seat in self._seats:
            for subscription in seat.subscriptions:
                self.destroy_subscription(subscription)
            seat.subscriptions, seat.state, seat.readings = [], None, None
            self._close_publishers(seat)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget the bundles."""
        super().on_cleanup(state)
        return self.guarded('clean up', self._clean_up)

    def _clean_up(self) -> None:
        self._fall_silent()
        for seat in self._seats:
            self.destroy_publisher(seat.status)
        self._seats = []
        if self._set_mode is not None:
            self.destroy_service(self._set_mode)
            self._set_mode = None

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop for good."""
        super().on_shutdown(state)
        return self.guarded('shut down', self._clean_up)

    # --- modes ------------------------------------------------------------------------------

    def _open_publishers(self, seat: _Seat) -> None:
        seat.requests = self.create_publisher(
            StageRequest,
            names.topic(seat.junction_id, names.REQUEST_TOPICS[self.mode]),
            qos.request(),
        )
        if self.mode != 'active':  # in command, the bridge's own shield tells
            seat.decisions = self.create_publisher(
                ShieldDecision, names.topic(seat.junction_id, names.SHADOW_DECISION), qos.LOG
            )

    def _close_publishers(self, seat: _Seat) -> None:
        for publisher in (seat.requests, seat.decisions):
            if publisher is not None:
                self.destroy_publisher(publisher)
        seat.requests = seat.decisions = None

    def on_set_mode(
        self, request: SetMode.Request, response: SetMode.Response
    ) -> SetMode.Response:
        """Change the mode, if the bundles may have it."""
        try:
            check_mode(
                request.mode,
                [seat.bundle for seat in self._seats],
                allow_ungated=self._values['allow_ungated'],
            )
        except (UsageError, BundleError) as error:
            response.success, response.message = False, str(error)
            self.get_logger().error(f'set_mode: {error}')
            return response
        is_new, self.mode = request.mode != self.mode, request.mode
        if is_new and self._is_active:  # whose publisher goes falls silent, and may lose command
            for seat in self._seats:
                self._close_publishers(seat)
                self._open_publishers(seat)
        response.success, response.message = True, f'mode is {self.mode}'
        self.get_logger().info(response.message)
        return response

    # --- decisions --------------------------------------------------------------------------

    def on_readings(self, seat: _Seat, message: DetectorReadings) -> None:
        """Keep the readings; decide if the state that they belong to is here already."""
        seat.readings = message
        self._decide(seat)

    def on_state(self, seat: _Seat, message: SignalState) -> None:
        """Keep the state; decide if its readings are here already."""
        seat.state, seat.stamp, seat.arrived_s = message, message.stamp, time.monotonic()
        if seat.matched_s < 0:
            seat.matched_s = seat.arrived_s
        self._decide(seat)

    def _decide(self, seat: _Seat) -> None:
        state, readings = seat.state, seat.readings
        if state is None or readings is None:
            return
        if (state.run_id, state.sequence) != (readings.run_id, readings.sequence):
            return
        seat.state = None  # one answer a state
        seat.matched_s = time.monotonic()
        seat.is_flash = state.mode != SignalState.MODE_RUNNING
        seat.problem = misfit(seat.bundle, state, readings)
        if seat.problem:
            return
        now_s = convert.to_seconds(state.stamp)
        if seat.desk.see(state.run_id, now_s):
            seat.clock_note = f'the street began anew at {now_s:g} s (run {state.run_id})'
            self.get_logger().info(f"junction '{seat.junction_id}': {seat.clock_note}")
        moment = Moment(
            now_s=now_s,
            signal=convert.to_signal_view(state),
            is_clearing=state.is_clearing,
            is_request_due=state.is_request_due,
        )
        if not seat.desk.is_due(moment, commands=self.mode == 'active'):
            return
        opinion = seat.desk.ask(moment, convert.to_readings(readings))
        if opinion.failure:
            self.get_logger().error(f"junction '{seat.junction_id}': {opinion.failure}")
        if opinion.scores:
            latency_s = time.monotonic() - seat.arrived_s
            self._sequence += 1
            seat.requests.publish(
                StageRequest(
                    stamp=state.stamp,
                    junction_id=seat.junction_id,
                    source=self._source,
                    run_id=state.run_id,
                    state_sequence=state.sequence,
                    sequence=self._sequence,
                    stage=opinion.stage,
                    scores=opinion.scores,
                    is_out_of_distribution=opinion.is_out_of_distribution,
                    out_of_distribution_score=opinion.out_of_distribution_score,
                    latency_s=latency_s,
                )
            )
            seat.desk.note_latency(time.monotonic() - seat.arrived_s)
        if seat.decisions is not None:
            seat.decisions.publish(
                convert.to_decision_message(
                    opinion.verdict, state=state, source=self._source, is_shadow=True
                )
            )

    # --- what an operator sees --------------------------------------------------------------

    def say(self) -> None:
        """Publish status and diagnostics of every junction."""
        statuses = []
        for seat in self._seats:
            desk, age_s = seat.desk, -1.0
            if seat.arrived_s >= 0:
                age_s = time.monotonic() - seat.arrived_s
            is_passed = has_passed(seat.bundle)
            message = PolicyStatus(
                stamp=seat.stamp,
                junction_id=seat.junction_id,
                source=self._source,
                algorithm=seat.bundle.manifest.algorithm,
                bundle_sha256=seat.digest,
                plan_fingerprint=seat.bundle.manifest.plan_fingerprint,
                mode=_MODE_NUMBERS[self.mode],
                is_gate_passed=is_passed,
                n_decisions=desk.n_decisions,
                n_vetoes=desk.n_vetoes,
                n_out_of_distribution=desk.n_out_of_distribution,
                out_of_distribution_score=desk.last_score,
                latency_p50_s=desk.latency_s(0.5),
                latency_p99_s=desk.latency_s(0.99),
                state_age_s=age_s,
                problem=seat.problem or desk.failure or self._silence(seat),
            )
            seat.status.publish(message)
            statuses.append(self._diagnose(seat, message))
        self._diagnostics.publish(diagnostics.diagnostic_array(self, statuses))

    def _silence(self, seat: _Seat) -> str:
        """Return what has not been heard for too long; empty if all was."""
        now_s, most_s = time.monotonic(), self._values['max_silence_s']
        if seat.arrived_s < 0:
            return 'no state of the junction has arrived'
        if (age_s := now_s - seat.arrived_s) > most_s:
            return f'no state of the junction for {age_s:.0f} s'
        if (age_s := now_s - seat.matched_s) > most_s:
            return (
                f'states arrive, but for {age_s:.0f} s no readings of the same run_id and '
                f"sequence on '{names.topic(seat.junction_id, names.DETECTORS)}'"
            )
        return ''

    def _diagnose(self, seat: _Seat, status: PolicyStatus) -> Any:
        level, said = diagnostics.OK, f'deciding, mode {self.mode}'
        verdict = seat.desk.last_reason
        if status.problem:
            level, said = diagnostics.ERROR, status.problem
        elif seat.is_flash:
            level, said = diagnostics.WARN, 'the junction flashes; no request is obeyed'
        elif seat.desk.is_alarmed:
            level = diagnostics.WARN
            said = (
                'traffic is unlike what the policy learned from (out-of-distribution score '
                f'{status.out_of_distribution_score:.3g}); its shield falls back'
            )
        elif verdict not in (None, ShieldReason.POLICY):
            level, said = diagnostics.WARN, f'the last answer would be refused: {verdict.value}'
        elif self.mode == 'active' and not status.is_gate_passed:
            level = diagnostics.WARN
            said = 'in command without a passed gate (allow_ungated)'
        elif self.mode == 'active' and (looser := looser_limits(seat.bundle)):
            level = diagnostics.WARN
            said = f'in command; its gate was easier than by default: {looser}'
        values = {
            'mode': self.mode,
            'gate passed': status.is_gate_passed,
            'decisions': status.n_decisions,
            'vetoes': status.n_vetoes,
            'out of distribution': status.n_out_of_distribution,
            'out of distribution score': status.out_of_distribution_score,
            'latency p50 [s]': status.latency_p50_s,
            'latency p99 [s]': status.latency_p99_s,
            'age of the last state [s]': status.state_age_s,
            'clock': seat.clock_note,
        }
        return diagnostics.status(f'saferl policy: {seat.junction_id}', level, said, values)

    # --- the program ------------------------------------------------------------------------

    def run(self, stopper: Stopper) -> int:
        """Serve until asked to stop."""
        executor = executor_of(self)
        stopper.on_ask(executor.wake)
        if self._values['autostart'] and not self._start():
            return EXIT_FAILED
        while not stopper.is_asked:
            executor.spin_once(timeout_sec=_SPIN_S)
        if self._is_active:
            self.trigger_deactivate()
        return EXIT_OK

    def _start(self) -> bool:
        return bool(self.trigger_configure() == SUCCESS and self.trigger_activate() == SUCCESS)


def main(arguments: list[str] | None = None) -> int:
    """Run the node."""
    return run_program(PolicyNode, 'policy', arguments or sys.argv)


if __name__ == '__main__':
    sys.exit(main())
