"""A recording as the story of its junctions: states with the readings that belong to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from saferl_ros.bag.description import JunctionDescription
from saferl_ros.bag.files import read_messages
from saferl_ros.errors import BagError
from saferl_ros.observation import DetectorReadings, SignalView

READING_ARRAYS = (
    *('count_veh', 'queue_veh', 'occupancy_ratio', 'waiting_s', 'vehicle_length_m'),
    *('advance_count_veh', 'advance_queue_veh'),
)
_TOPICS = ('signal_state', 'detectors')


@dataclass(frozen=True, slots=True, kw_only=True)
class StreetMoment:
    """One tick of one junction, as it was recorded."""

    junction_id: str
    run_id: str  # changes when the bridge starts anew
    sequence: int  # counts up by one a tick; a jump is a gap in the record
    recorded_s: float  # when it was recorded, wall clock [s since 1970]
    now_s: float  # the junction's time [s]
    tick_s: float
    lamps: str
    signal: SignalView
    is_clearing: bool
    is_fallback: bool
    is_flash: bool
    readings: DetectorReadings
    plan_fingerprint: str = ''  # of the plan and the observation that it goes by; empty if unsaid
    spec_fingerprint: str = ''

    @property
    def halting_veh(self) -> float:
        """Vehicles that stand on the detectors [veh], below 0.1 m/s."""
        readings = self.readings
        return float(readings.queue_veh.sum() + readings.advance_queue_veh.sum())


def follows_in_time(before_s: float, now_s: float, tick_s: float) -> bool:
    """Whether a junction's clock went on by about a tick, and did not jump [s]."""
    return 0.0 < now_s - before_s < 2 * tick_s


def read_descriptions(path: Path) -> dict[str, JunctionDescription]:
    """
    Return the junctions of a recording by id.

    :raises BagError: if it describes none.
    """
    found = {}
    for one in read_messages(path, ('description',)):
        description = JunctionDescription.from_text(one.message.data)
        found[description.junction_id] = description
    if not found:
        raise BagError(
            f"bag '{path}' describes no junction (no topic .../description); was it recorded by "
            'the shadow_recorder, beside a bridge?'
        )
    return found


def read_street(path: Path) -> Iterator[StreetMoment]:
    """
    Yield every state that has its readings, in the order of recording.

    :raises BagError: if there is no bag or one is damaged.
    """
    waiting: dict[str, Any] = {}  # junction to the half that came first
    for one in read_messages(path, _TOPICS):
        message = one.message
        other = waiting.get(message.junction_id)
        if (
            other is None
            or other[0] == one.topic
            or (other[1].run_id, other[1].sequence) != (message.run_id, message.sequence)
        ):
            waiting[message.junction_id] = one.topic, message
            continue
        del waiting[message.junction_id]
        is_state = one.topic.endswith('signal_state')
        state, readings = (message, other[1]) if is_state else (other[1], message)
        yield _moment(state, readings, one.stamp_ns)


def _moment(state: Any, readings: Any, stamp_ns: int) -> StreetMoment:
    return StreetMoment(
        junction_id=state.junction_id,
        run_id=state.run_id,
        sequence=int(state.sequence),
        recorded_s=stamp_ns * 1e-9,
        now_s=float(state.stamp.sec) + float(state.stamp.nanosec) * 1e-9,
        tick_s=float(state.tick_s),
        lamps=state.lamps,
        signal=SignalView(
            stage=int(state.stage),
            green_elapsed_s=float(state.green_elapsed_s),
            since_served_s=tuple(map(float, state.since_served_s)),
            legal=tuple(map(bool, state.legal_stages)),
            is_min_green_over=bool(state.is_min_green_over),
        ),
        is_clearing=bool(state.is_clearing),
        is_fallback=bool(state.is_fallback),
        is_flash=int(state.mode) != 0,
        plan_fingerprint=state.plan_fingerprint,
        spec_fingerprint=readings.spec_fingerprint,
        readings=DetectorReadings(
            sim_time_s=float(state.stamp.sec) + float(state.stamp.nanosec) * 1e-9,
            **{
                name: np.asarray(getattr(readings, name), dtype=np.float64)
                for name in READING_ARRAYS
            },
        ),
    )
