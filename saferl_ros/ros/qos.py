"""The qualities of service, each with its reason."""

from __future__ import annotations

from rclpy.duration import Duration
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    QoSProfile,
    ReliabilityPolicy,
)

LEASE_S = 3.0  # a controller whose process is dead or stopped is missed after this
DEADLINE_S = 60.0  # longest time between two requests: a change with its minimum green, and more


def _reliable(depth: int, durability: DurabilityPolicy) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=durability,
    )


STATE = _reliable(1, DurabilityPolicy.TRANSIENT_LOCAL)
"""Signal states and readings: the newest one counts, and whoever comes late gets it at once."""

CATCH_UP_EVERY = 32  # states between two looks whether all listeners of a lock-step have them

LOCK_STEP_STATE = _reliable(CATCH_UP_EVERY, DurabilityPolicy.TRANSIENT_LOCAL)
"""
What a lock-step offers states and readings with: they follow each other faster than the middleware
carries them to a listener that is held up, so as many are kept as may be under way. Not more: only
a full history makes Fast DDS ask at once what has arrived, otherwise it asks every 3 s.
"""

DESCRIPTION = _reliable(1, DurabilityPolicy.TRANSIENT_LOCAL)
"""What a junction is: said once, known to all who come later."""

LOG = _reliable(50, DurabilityPolicy.VOLATILE)
"""Decisions and status: for recorders and screens; nobody acts on them."""

RECORDING = _reliable(1000, DurabilityPolicy.VOLATILE)
"""What a recorder subscribes with: deep, so that a slow disk does not make gaps."""

RECORDING_LATCHED = _reliable(1000, DurabilityPolicy.TRANSIENT_LOCAL)
"""The same for topics that are known to all who come later."""

CLOCK = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
)
"""Simulated time: the next one comes anyway."""


def request() -> QoSProfile:
    """
    Return the quality of stage requests.

    Volatile and one deep: an old request must never be obeyed. With deadline and liveliness, so
    that a controller that died or hangs is noticed.
    """
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.VOLATILE,
        deadline=Duration(seconds=DEADLINE_S),
        liveliness=LivelinessPolicy.AUTOMATIC,
        liveliness_lease_duration=Duration(seconds=LEASE_S),
    )
