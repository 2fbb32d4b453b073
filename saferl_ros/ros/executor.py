"""The executor of every node: events instead of wait sets, which rclpy rebuilds at each turn."""

from __future__ import annotations

from typing import Any

from rclpy.experimental import EventsExecutor
from rclpy.node import Node


def executor_of(node: Node) -> Any:
    """Return an executor that has the node."""
    executor = EventsExecutor()
    executor.add_node(node)
    return executor
