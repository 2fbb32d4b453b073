"""Values ↔ messages: nothing is decided here."""

from __future__ import annotations

from builtin_interfaces.msg import Time
import numpy as np

from saferl_msgs.msg import DetectorReadings as ReadingsMessage
from saferl_msgs.msg import ShieldDecision as DecisionMessage
from saferl_msgs.msg import SignalState, StageRequest
from saferl_ros.env.street_junction import StreetJunction
from saferl_ros.observation import DetectorReadings, SignalView
from saferl_ros.ros.request_desk import Request
from saferl_ros.shield import CabinetMode, ShieldDecision

_ARRAYS = (
    *('count_veh', 'queue_veh', 'occupancy_ratio', 'waiting_s', 'vehicle_length_m'),
    *('advance_count_veh', 'advance_queue_veh'),
)


def to_time(time_s: float) -> Time:
    """Return a time of day or of a simulation as a message; never negative."""
    nanoseconds = round(max(0.0, time_s) * 1e9)
    return Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def to_seconds(time: Time) -> float:
    """Return a message's time [s]."""
    return float(time.sec) + float(time.nanosec) * 1e-9


def to_state_message(
    at: StreetJunction, *, now_s: float, run_id: str, sequence: int, fingerprint: str
) -> SignalState:
    """
    Return what a junction shows now.

    :param now_s: simulated time [s].
    :param fingerprint: of the junction's plan.
    """
    signal, cabinet = at.signal_view(), at.cabinet
    latched_by, is_flash = at.shield.latched_by, cabinet.mode is CabinetMode.FLASH
    return SignalState(
        stamp=to_time(now_s),
        junction_id=at.junction.plan.junction_id,
        plan_fingerprint=fingerprint,
        run_id=run_id,
        sequence=sequence,
        tick_s=at.junction.scenario.step_s,
        lamps=at.lamps,
        stage=signal.stage,
        is_clearing=cabinet.sequencer.is_clearing,
        green_elapsed_s=signal.green_elapsed_s,
        since_served_s=list(signal.since_served_s),
        legal_stages=list(signal.legal),
        is_min_green_over=signal.is_min_green_over,
        is_request_due=cabinet.is_policy_due,
        calls=list(at.calls),
        mode=SignalState.MODE_FLASH if is_flash else SignalState.MODE_RUNNING,
        is_fallback=is_flash or latched_by is not None,
        fallback_reason=latched_by.value if latched_by is not None else '',
        monitor_faults=cabinet.monitor.n_faults,
    )


def to_signal_view(state: SignalState) -> SignalView:
    """Return what the controller knew of its signal when it sent ``state``."""
    return SignalView(
        stage=state.stage,
        green_elapsed_s=state.green_elapsed_s,
        since_served_s=tuple(state.since_served_s),
        legal=tuple(state.legal_stages),
        is_min_green_over=state.is_min_green_over,
    )


def to_readings_message(
    readings: DetectorReadings, *, state: SignalState, fingerprint: str
) -> ReadingsMessage:
    """
    Return the readings that belong to ``state``.

    :param fingerprint: of the observation spec.
    """
    message = ReadingsMessage(
        stamp=state.stamp,
        junction_id=state.junction_id,
        spec_fingerprint=fingerprint,
        run_id=state.run_id,
        sequence=state.sequence,
    )
    for name in _ARRAYS:
        setattr(message, name, getattr(readings, name).astype(np.float32).tolist())
    return message


def to_readings(message: ReadingsMessage) -> DetectorReadings:
    """Return the readings of a message."""
    return DetectorReadings(
        sim_time_s=to_seconds(message.stamp),
        **{name: np.array(getattr(message, name), dtype=np.float64) for name in _ARRAYS},
    )


def to_request(message: StageRequest) -> Request:
    """Return a request as the desk takes it."""
    return Request(
        junction_id=message.junction_id,
        source=message.source,
        run_id=message.run_id,
        state_sequence=message.state_sequence,
        sequence=message.sequence,
        stage=message.stage,
        scores=tuple(message.scores),
        is_out_of_distribution=message.is_out_of_distribution,
    )


def to_decision_message(
    decision: ShieldDecision, *, state: SignalState, source: str, is_shadow: bool
) -> DecisionMessage:
    """
    Return what a shield decided in ``state``.

    :param source: whose request was judged.
    """
    return DecisionMessage(
        stamp=state.stamp,
        junction_id=state.junction_id,
        run_id=state.run_id,
        sequence=state.sequence,
        source=source,
        is_shadow=is_shadow,
        applied_stage=decision.applied_stage,
        reason=decision.reason.value,
        is_fallback=decision.is_fallback,
    )
