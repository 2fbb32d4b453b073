"""Ends a launch when one of its nodes ends; see the table in docs/ros.md."""

from __future__ import annotations

from collections.abc import Mapping
import signal

from launch.actions import EmitEvent, OpaqueFunction, RegisterEventHandler, Shutdown
from launch.event import Event
from launch.event_handler import EventHandler
from launch.event_handlers import OnProcessExit, OnProcessStart, OnShutdown
from launch.events import matches_action
from launch.events.process import ProcessExited, ProcessStarted, SignalProcess
from launch.events.shutdown import Shutdown as ShutdownEvent
from launch.launch_context import LaunchContext
from launch.logging import get_logger
from launch_ros.actions import Node

from saferl_ros.ros.graph import NodeSpec


class NodeFailed(Event):
    """
    A node ended that should not have.

    :param what: happened, in words.
    """

    name = 'saferl_ros.ros.launch_watch.NodeFailed'

    def __init__(self, what: str) -> None:
        self.what = what


class LaunchWatch:
    """
    Ends the launch when a node ends: well with the one that ends all, else as a failure.

    Ctrl-C reaches the launch alone, because every node has a session of its own, so that each node
    is interrupted exactly once, whoever sent the signal: by launch where it knows of no terminal,
    and from here where it trusts that the terminal told everybody.
    """

    def __init__(self, actions: Mapping[Node, NodeSpec]) -> None:
        self._specs = actions
        self._started: list[Node] = []
        self._is_interrupted = False

    def handlers(self) -> list[RegisterEventHandler]:
        """Return the actions that register everything."""
        return [
            RegisterEventHandler(handler)
            for handler in (
                OnProcessStart(on_start=self._on_start),
                OnProcessExit(on_exit=self._on_exit),
                OnShutdown(on_shutdown=self._on_shutdown),
                EventHandler(
                    matcher=lambda event: isinstance(event, NodeFailed),
                    entities=OpaqueFunction(function=_fail),
                ),
            )
        ]

    def _on_start(self, event: ProcessStarted, context: LaunchContext) -> EmitEvent | None:
        if event.action not in self._specs:
            return None
        self._started.append(event.action)
        return _interrupt(event.action) if self._is_interrupted else None

    def _on_shutdown(self, event: ShutdownEvent, context: LaunchContext) -> list[EmitEvent]:
        self._is_interrupted = event.due_to_sigint and not context.noninteractive
        return [_interrupt(node) for node in self._started] if self._is_interrupted else []

    def _on_exit(
        self, event: ProcessExited, context: LaunchContext
    ) -> Shutdown | EmitEvent | None:
        spec = self._specs.get(event.action)
        if spec is None:
            return None
        if context.is_shutdown and event.returncode in (0, -signal.SIGINT):
            return None  # the signal: it was told to stop before it could listen
        if event.returncode == 0 and spec.ends_all:
            return Shutdown(reason=f"node '{spec.name}' is done")
        if not spec.is_needed:
            get_logger('saferl_ros').error(
                f"node '{spec.name}' ended with exit code {event.returncode}; the others go on "
                'without it'
            )
            return None
        return EmitEvent(
            event=NodeFailed(
                f"node '{spec.name}' ended with exit code {event.returncode}; "
                'the others are stopped'
            )
        )


def _interrupt(node: Node) -> EmitEvent:
    return EmitEvent(
        event=SignalProcess(signal_number=signal.SIGINT, process_matcher=matches_action(node))
    )


def _fail(context: LaunchContext) -> None:
    """Raise out of an event that nobody else handles: launch then stops all and exits with 1."""
    raise RuntimeError(context.locals.event.what)
