"""Listens to every topic of every junction, and to the diagnostics, without reading them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
import time
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from saferl_ros.ros import names, qos

DIAGNOSTICS = '/diagnostics'
LOOK_PERIOD_S = 0.2
_LATCHED = (names.DESCRIPTION, names.SIGNAL_STATE, names.DETECTORS)

# (topic, type such as saferl_msgs/msg/SignalState, the message as ROS 2 sends it)
OnMessage = Callable[[str, str, bytes], None]


class Ears:
    """
    Subscribes to whatever a street says, as soon as it is there.

    :param node: whose subscriptions they are.
    :param on_message: called with every message as it came.
    """

    def __init__(self, node: Node, on_message: OnMessage) -> None:
        self._node = node
        self._on_message = on_message
        self._heard: dict[str, Any] = {}
        self._looked_s = -1e9

    def __len__(self) -> int:
        return len(self._heard)

    def look_around(self) -> None:
        """Subscribe to topics that nobody told of yet; call it often, it looks now and then."""
        if abs(time.monotonic() - self._looked_s) < LOOK_PERIOD_S:
            return
        self._looked_s = time.monotonic()
        for topic, types in self._node.get_topic_names_and_types():
            is_ours = f'/{names.ROOT}/' in topic or topic == DIAGNOSTICS
            if is_ours and topic not in self._heard:
                offered = self._node.get_publishers_info_by_topic(topic)
                if offered:
                    self._listen(topic, types[0], offered[0].qos_profile)

    def _listen(self, topic: str, type_name: str, offered: QoSProfile) -> None:
        profile = qos.RECORDING
        is_known = topic.rsplit('/', 1)[-1] in _LATCHED  # ours: no need to ask
        if is_known or offered.durability == DurabilityPolicy.TRANSIENT_LOCAL:
            profile = qos.RECORDING_LATCHED
        self._heard[topic] = self._node.create_subscription(
            _message_class(type_name),
            topic,
            partial(self._on_message, topic, type_name),
            profile,
            raw=True,
        )


def _message_class(type_name: str) -> Any:
    package, kind, name = type_name.split('/')
    return getattr(import_module(f'{package}.{kind}'), name)
