"""Streams a street live to Foxglove: everything that a recorder would write, over a WebSocket."""

from __future__ import annotations

import sys
from typing import Any

from rclpy.node import Node

from saferl_ros.bag.files import MessageTypes
from saferl_ros.errors import MissingExtraError, UsageError
from saferl_ros.ros.ears import Ears, LOOK_PERIOD_S
from saferl_ros.ros.executor import executor_of
from saferl_ros.ros.parameters import declare, Declared
from saferl_ros.ros.program import EXIT_OK, run_program, Stopper

PARAMETERS = (
    Declared(name='host', default='127.0.0.1', about='address to listen on'),
    Declared(
        name='port', default=8765, bounds=(1, 65535),
        about='in Foxglove: open connection, Foxglove WebSocket, ws://host:port',
    ),
)  # fmt: skip


class FoxgloveStream(Node):
    """Optional: nothing in the graph depends on it, and it says nothing there."""

    def __init__(self) -> None:
        super().__init__('foxglove_stream')
        values = declare(self, PARAMETERS)
        self._foxglove = _load_foxglove()
        self._types = MessageTypes()
        self._channels: dict[str, Any] = {}
        self._ears = Ears(self, self.on_message)
        try:
            self._server = self._foxglove.start_server(
                name='saferl', host=values['host'], port=values['port']
            )
        except Exception as error:  # the library raises types of its own
            raise UsageError(
                f'cannot listen on {values["host"]}:{values["port"]}: {error}; give another port'
            ) from error

    def on_message(self, topic: str, type_name: str, data: bytes) -> None:
        """Pass one message on as it came."""
        channel = self._channels.get(topic)
        if channel is None:
            text = self._types.definition(type_name)
            schema = self._foxglove.Schema(
                name=type_name, encoding='ros2msg', data=text.encode('utf-8')
            )
            channel = self._foxglove.Channel(topic, schema=schema, message_encoding='cdr')
            self._channels[topic] = channel
            self.get_logger().info(f'{topic} is offered')
        channel.log(data)

    def run(self, stopper: Stopper) -> int:
        """Stream until asked to stop."""
        executor = executor_of(self)
        stopper.on_ask(executor.wake)
        n_heard = 0
        while not stopper.is_asked:
            executor.spin_once(timeout_sec=LOOK_PERIOD_S)
            self._ears.look_around()
            if len(self._ears) != n_heard:
                n_heard = len(self._ears)
                self.get_logger().info(f'listening to {n_heard} topics')
        self._server.stop()
        return EXIT_OK


def _load_foxglove() -> Any:
    try:
        import foxglove
    except ImportError as error:
        raise MissingExtraError('foxglove', 'ros') from error
    return foxglove


def main(arguments: list[str] | None = None) -> int:
    """Run the node."""
    return run_program(FoxgloveStream, 'foxglove_stream', arguments or sys.argv)


if __name__ == '__main__':
    sys.exit(main())
