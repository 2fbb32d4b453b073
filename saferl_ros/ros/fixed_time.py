"""The incumbent controller as a node: asks for what the fixed-time program wants."""

from __future__ import annotations

from functools import partial
import secrets
import sys
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_msgs.msg import String

from saferl_msgs.msg import SignalState, StageRequest
from saferl_ros.bag.description import JunctionDescription
from saferl_ros.errors import BundleError
from saferl_ros.ros import convert, names, qos
from saferl_ros.ros.executor import executor_of
from saferl_ros.ros.parameters import declare, Declared
from saferl_ros.ros.program import EXIT_OK, run_program, Stopper
from saferl_ros.shield import FixedTimeProgram

PARAMETERS = (
    Declared(name='junctions', default=(), about='which junctions; by default all there are'),
)

_LOOK_PERIOD_S = 0.2
_SPIN_S = 0.2


class FixedTime(Node):
    """Runs every junction it is told of by its own program, in step with the clock."""

    def __init__(self) -> None:
        super().__init__('fixed_time')
        self._wanted = declare(self, PARAMETERS)['junctions']
        self._source = f'{self.get_fully_qualified_name()}#{secrets.token_hex(4)}'
        self._sequence = 0
        self._heard: dict[str, Any] = {}  # topic of a description to its subscription
        self._programs: dict[str, FixedTimeProgram] = {}
        self._requests: dict[str, Any] = {}
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_LOOK_PERIOD_S, self.look_around, clock=steady)

    def look_around(self) -> None:
        """Find junctions that nobody told of yet."""
        for topic in names.described(self.get_topic_names_and_types()):
            if topic not in self._heard:
                self._heard[topic] = self.create_subscription(
                    String, topic, self.on_description, qos.DESCRIPTION
                )

    def on_description(self, message: String) -> None:
        """Take over a junction, or its new program after a restart of the bridge."""
        try:
            description = JunctionDescription.from_text(message.data)
        except BundleError as error:
            self.get_logger().error(str(error))
            return
        junction_id = description.junction_id
        if self._wanted and junction_id not in self._wanted:
            return
        is_known = junction_id in self._programs
        self._programs[junction_id] = FixedTimeProgram(description.plan)
        if is_known:
            return
        self._requests[junction_id] = self.create_publisher(
            StageRequest, names.topic(junction_id, names.STAGE_REQUEST), qos.request()
        )
        self.create_subscription(
            SignalState,
            names.topic(junction_id, names.SIGNAL_STATE),
            partial(self.on_state, junction_id),
            qos.STATE,
        )
        self.get_logger().info(f"running junction '{junction_id}' by its fixed-time program")

    def on_state(self, junction_id: str, state: SignalState) -> None:
        """Ask for the stage that the program wants now."""
        if not state.is_request_due:
            return
        wanted = self._programs[junction_id].stage_at(convert.to_seconds(state.stamp))
        self._sequence += 1
        self._requests[junction_id].publish(
            StageRequest(
                stamp=state.stamp,
                junction_id=junction_id,
                source=self._source,
                run_id=state.run_id,
                state_sequence=state.sequence,
                sequence=self._sequence,
                stage=wanted if state.legal_stages[wanted] else state.stage,
            )
        )

    def run(self, stopper: Stopper) -> int:
        """Serve until asked to stop."""
        executor = executor_of(self)
        stopper.on_ask(executor.wake)
        while not stopper.is_asked:
            executor.spin_once(timeout_sec=_SPIN_S)
        return EXIT_OK


def main(arguments: list[str] | None = None) -> int:
    """Run the node."""
    return run_program(FixedTime, 'fixed_time', arguments or sys.argv)


if __name__ == '__main__':
    sys.exit(main())
