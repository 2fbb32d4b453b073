"""A junction's topics, and how far those who advise it have come."""

from __future__ import annotations

from functools import partial
from typing import Any, TYPE_CHECKING

from rclpy.event_handler import SubscriptionEventCallbacks
from std_msgs.msg import String

from saferl_msgs.msg import DetectorReadings, ShieldDecision, SignalState, StageRequest
from saferl_ros.bag.cadence import Cadence
from saferl_ros.env.junction import DECISION_S
from saferl_ros.env.street_junction import StreetJunction
from saferl_ros.ros import names, qos
from saferl_ros.ros.request_desk import RemoteAlarm, RequestDesk

if TYPE_CHECKING:
    from saferl_ros.ros.sumo_bridge import SumoBridge


class Wire:
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
