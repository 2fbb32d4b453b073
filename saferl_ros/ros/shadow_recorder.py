"""Records what a street shows, what was asked of it, and what a shadow would have asked."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
import shutil
import sys
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from saferl_ros.bag.files import RisingClock, SegmentWriter
from saferl_ros.errors import BagError
from saferl_ros.ros import diagnostics, names, qos
from saferl_ros.ros.ears import DIAGNOSTICS, Ears, LOOK_PERIOD_S
from saferl_ros.ros.executor import executor_of
from saferl_ros.ros.hearing import Hearing
from saferl_ros.ros.parameters import declare, Declared
from saferl_ros.ros.program import EXIT_OK, run_program, Stopper

PARAMETERS = (
    Declared(name='output', default='recording', about='folder for the segments of the recording'),
    Declared(
        name='max_segment_mb', default=256.0, bounds=(0.01, 100_000.0),
        about='size from which a new segment is begun [MB]',
    ),
    Declared(
        name='max_segment_s', default=3600.0, bounds=(1.0, 1e6),
        about='time after which a new segment is begun, by the wall clock [s]',
    ),
    Declared(
        name='flush_s', default=5.0, bounds=(0.1, 600.0),
        about='at most so much is lost if this node is killed, by the wall clock [s]',
    ),
)  # fmt: skip

_QUIET_S = 0.1  # nothing for so long: all that was delivered is written
_REST_S = 2.0  # longest wait for that, where messages never end


class ShadowRecorder(Node):
    """
    Writes every topic of every junction, and the diagnostics, as they come.

    Memory is bounded: messages go to the disk as they are, and only what the network holds for us
    waits. Any other node may die; this one goes on.
    """

    def __init__(self) -> None:
        super().__init__('shadow_recorder')
        self._options = declare(self, PARAMETERS)
        self._folder = Path(self._options['output'])
        self._ears = Ears(self, self.on_message)
        self._segment: SegmentWriter | None = None
        # said once: written into every segment, so that each can be read by itself
        self._descriptions: dict[str, tuple[str, bytes]] = {}
        self._began_s = self._flushed_s = -1e9
        self._n_messages = 0
        self._hearing = Hearing(time.monotonic())
        self._wall = RisingClock()
        self._said = self.create_publisher(DiagnosticArray, DIAGNOSTICS, qos.LOG)
        self._open()

    def _open(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BagError(f"cannot record to '{self._folder}': {error.strerror}") from error
        numbers = [p.name.rsplit('_', 1)[-1] for p in self._folder.glob('segment_*')]
        n = max((int(x) for x in numbers if x.isdigit()), default=-1) + 1
        self._segment = SegmentWriter(self._folder / f'segment_{n:05d}')
        for topic, (type_name, data) in self._descriptions.items():
            self._segment.write(topic, type_name, self._wall.now_ns(), data)
        self._began_s = self._flushed_s = time.monotonic()

    def on_message(self, topic: str, type_name: str, data: bytes) -> None:
        """Write one message as it came."""
        assert self._segment is not None
        self._segment.write(topic, type_name, self._wall.now_ns(), data)
        if topic.endswith(f'/{names.DESCRIPTION}'):
            self._descriptions[topic] = type_name, data
        self._hearing.note(topic, time.monotonic())
        self._n_messages += 1

    def _keep_house(self) -> None:
        """Flush, and begin a new segment when it is time."""
        now_s, segment = time.monotonic(), self._segment
        if segment is None:
            return
        self._ears.look_around()
        is_large = segment.n_bytes >= self._options['max_segment_mb'] * 1e6
        is_old = now_s - self._began_s >= self._options['max_segment_s']
        if segment.n_messages and (is_large or is_old):
            segment.close()
            self._open()
        elif now_s - self._flushed_s >= self._options['flush_s']:
            self._flushed_s = now_s
            segment.flush()
            self._say()

    def _say(self) -> None:
        assert self._segment is not None
        values = {
            'folder': self._folder.resolve(),
            'segment': self._segment.folder.name,
            'messages': self._n_messages,
            'topics': len(self._ears),
            'free disk [GB]': shutil.disk_usage(self._folder).free / 1e9,
        }
        missed = self._hearing.missed(time.monotonic())
        level = diagnostics.WARN if missed else diagnostics.OK
        line = diagnostics.status('saferl recorder', level, missed or 'recording', values)
        self._said.publish(diagnostics.diagnostic_array(self, [line]))

    def _take_the_rest(self, executor: Any) -> None:
        """Write what had been delivered before the stop: a spin takes one message."""
        began_s = heard_s = time.monotonic()
        while (now_s := time.monotonic()) - heard_s < _QUIET_S and now_s - began_s < _REST_S:
            n = self._n_messages
            executor.spin_once(timeout_sec=_QUIET_S)
            if self._n_messages > n:
                heard_s = time.monotonic()

    def run(self, stopper: Stopper) -> int:
        """Record until asked to stop."""
        executor = executor_of(self)
        stopper.on_ask(executor.wake)
        try:
            while not stopper.is_asked:
                executor.spin_once(timeout_sec=LOOK_PERIOD_S)
                self._keep_house()
            self._take_the_rest(executor)
            if self._segment is not None:
                self._segment.close()
        except OSError as error:
            if self._segment is not None:
                with suppress(Exception):  # the first error is the one to tell
                    self._segment.close()
            raise BagError(
                f"recording to '{self._folder}' ended: {error.strerror or error}; what was "
                'flushed before is readable'
            ) from error
        self.get_logger().info(f'{self._n_messages} messages in {self._folder}')
        return EXIT_OK


def main(arguments: list[str] | None = None) -> int:
    """Run the node."""
    return run_program(ShadowRecorder, 'shadow_recorder', arguments or sys.argv)


if __name__ == '__main__':
    sys.exit(main())
