"""A real WebSocket client sees the street as Foxglove would."""

from __future__ import annotations

import json
import socket
import struct
import time

from nodes import JUNCTION, Nodes, street, WAIT_S
import pytest
from websocket import create_connection, WebSocket, WebSocketTimeoutException

from saferl_ros.ros import names

pytestmark = [pytest.mark.ros, pytest.mark.sumo]

MESSAGE_DATA = 1  # first byte of a binary frame that carries a message


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return int(probe.getsockname()[1])


def connect(port: int, nodes: Nodes) -> WebSocket:
    """Connect as soon as the stream listens."""
    until_s = time.monotonic() + WAIT_S
    while True:
        try:
            return create_connection(
                f'ws://127.0.0.1:{port}', subprotocols=['foxglove.sdk.v1'], timeout=30
            )
        except ConnectionRefusedError:
            assert nodes.running['foxglove_stream'].poll() is None, nodes.said('foxglove_stream')
            assert time.monotonic() < until_s
            time.sleep(0.1)


def receive(client: WebSocket, nodes: Nodes) -> str | bytes:
    """Return the next frame; where none comes, tell how far the stream was."""
    try:
        return client.recv()
    except WebSocketTimeoutException:
        pytest.fail(f'nothing was sent; the stream said:\n{nodes.said("foxglove_stream")}')


def test_foxglove_is_offered_every_topic_and_gets_its_messages(tmp_path):
    port, wanted = free_port(), f'/{names.topic(JUNCTION, names.SIGNAL_STATE)}'
    with street(tmp_path) as (nodes, observer):
        nodes.start('foxglove_stream', port=port)
        nodes.start('sumo_bridge', real_time_factor=10.0)
        observer.spin_until(lambda: len(observer.states) > 5)
        client = connect(port, nodes)
        offered: dict[str, dict[str, object]] = {}
        until_s = time.monotonic() + WAIT_S
        while wanted not in offered:
            assert time.monotonic() < until_s
            frame = receive(client, nodes)
            if isinstance(frame, str) and json.loads(frame)['op'] == 'advertise':
                offered |= {one['topic']: one for one in json.loads(frame)['channels']}
        channel = offered[wanted]
        assert channel['encoding'] == 'cdr'
        assert channel['schemaName'] == 'saferl_msgs/msg/SignalState'
        assert 'float32 green_elapsed_s' in str(channel['schema'])
        ask = {'op': 'subscribe', 'subscriptions': [{'id': 7, 'channelId': channel['id']}]}
        client.send(json.dumps(ask))
        while True:
            assert time.monotonic() < until_s
            frame = receive(client, nodes)
            if isinstance(frame, bytes) and frame[0] == MESSAGE_DATA:
                assert struct.unpack('<I', frame[1:5]) == (7,)
                assert JUNCTION.encode() in frame
                break
        client.close()
        assert nodes.stop('foxglove_stream') == 0, nodes.said('foxglove_stream')


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path):
    with socket.socket() as taken, street(tmp_path) as (nodes, _):
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        nodes.start('foxglove_stream', port=taken.getsockname()[1])
        assert nodes.wait('foxglove_stream') == 2
        assert 'give another port' in nodes.said('foxglove_stream')
