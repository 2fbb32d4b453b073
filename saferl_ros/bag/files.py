"""
Bags: folders that rosbag2 reads, written and read here without a ROS installation.

A recording is a folder of segments, each a rosbag2 folder with one MCAP file. What was written
before a crash is readable: a segment that was never finished is read up to where it is torn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import os
from pathlib import Path
import struct
import sys
import time
from typing import Any

from saferl_ros.errors import BagError, MissingExtraError

METADATA = 'metadata.yaml'
_VERSION = 9  # of rosbag2's metadata, that of ROS 2 Jazzy and later
_OWN_TYPES = ('SignalState', 'DetectorReadings', 'StageRequest', 'ShieldDecision', 'PolicyStatus')


@dataclass(frozen=True, slots=True, kw_only=True)
class BagMessage:
    """One recorded message."""

    topic: str
    stamp_ns: int  # when it was recorded, wall clock
    message: Any  # with the fields of its type


def _load(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(name.split('.')[0], 'bag') from error


def message_folder() -> Path:
    """
    Return the folder with the definitions of our messages.

    :raises MissingExtraError: if ``saferl_msgs`` is not installed.
    """
    prefixes = [p for p in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if p]
    for prefix in [*prefixes, sys.prefix]:
        folder = Path(prefix) / 'share' / 'saferl_msgs' / 'msg'
        if folder.is_dir():
            return folder
    raise MissingExtraError('saferl_msgs', 'ros')


class MessageTypes:
    """The definitions of ROS's messages and of ours."""

    def __init__(self) -> None:
        typesys = _load('rosbags.typesys')
        self.store = typesys.get_typestore(typesys.Stores.ROS2_JAZZY)
        for name in _OWN_TYPES:
            text = (message_folder() / f'{name}.msg').read_text(encoding='utf-8')
            self.store.register(typesys.get_types_from_msg(text, f'saferl_msgs/msg/{name}'))

    def definition(self, type_name: str) -> str:
        """Return a type's definition with those it needs, such as ``std_msgs/msg/String``."""
        text, _ = self.store.generate_msgdef(type_name, ros_version=2)
        return str(text)


class RisingClock:
    """The wall clock, which never goes back: a bag is read in the order of its stamps."""

    def __init__(self) -> None:
        self._last_ns = 0

    def now_ns(self) -> int:
        """Return the time since 1970 [ns], later than at every call before."""
        self._last_ns = max(self._last_ns + 1, time.time_ns())
        return self._last_ns


class SegmentWriter:
    """
    Writes one segment.

    :param folder: must not exist.
    :raises BagError: if it exists or cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        rosbag2 = _load('rosbags.rosbag2')
        self.folder = folder
        self.n_bytes = self.n_messages = 0
        self._types = MessageTypes().store
        self._connections: dict[str, Any] = {}
        try:
            self._writer = rosbag2.Writer(
                folder, version=_VERSION, storage_plugin=rosbag2.StoragePlugin.MCAP
            )
            self._writer.open()
        except (OSError, rosbag2.WriterError) as error:
            raise BagError(f"cannot record to '{folder}': {error}; name another folder") from error

    def write(self, topic: str, type_name: str, stamp_ns: int, data: bytes) -> None:
        """
        Write one message.

        :param type_name: such as ``saferl_msgs/msg/SignalState``.
        :param data: serialized, as ROS 2 sends it (CDR).
        """
        connection = self._connections.get(topic)
        if connection is None:
            connection = self._connections[topic] = self._writer.add_connection(
                topic, type_name, typestore=self._types
            )
        self._writer.write(connection, stamp_ns, data)
        self.n_bytes += len(data)
        self.n_messages += 1

    def flush(self) -> None:
        """Put what was written on the disk, so that a crash does not take it along."""
        storage = self._writer.storage  # rosbags itself writes in pieces of a mebibyte
        if storage.chunk.bio.tell():
            storage.close_chunk()
        storage.bio.flush()

    def close(self) -> None:
        """Finish the segment: index and metadata."""
        self._writer.close()


def segment_folders(path: Path) -> list[Path]:
    """
    Return the segments of a recording, or the bag itself, in the order of their names.

    :raises BagError: if there is none.
    """
    if path.is_dir():
        if _is_bag(path):
            return [path]
        found = sorted(folder for folder in path.iterdir() if folder.is_dir() and _is_bag(folder))
        if found:
            return found
    raise BagError(
        f"'{path}' is no bag: neither a rosbag2 folder nor one that holds some; give the folder "
        'that the recorder wrote'
    )


def _is_bag(folder: Path) -> bool:
    return (folder / METADATA).is_file() or any(folder.glob('*.mcap'))


def read_messages(path: Path, names: Sequence[str] = ()) -> Iterator[BagMessage]:
    """
    Yield the messages of a recording, segment by segment, in the order of recording.

    :param names: yield only topics that end so; by default all.
    :raises BagError: if there is no bag, or it is damaged and nothing in it can be read.
    """
    n_found, damaged = 0, []
    for folder in segment_folders(path):
        if is_whole(folder):
            found = _read_whole(folder, names)
        else:
            found = _read_torn(folder, names)
            damaged += [folder.name] if (folder / METADATA).is_file() else []
        for one in found:
            n_found += 1
            yield one
    if damaged and not n_found:
        raise BagError(f"bag '{path}' is damaged: nothing in {', '.join(damaged)} can be read")


def is_whole(folder: Path) -> bool:
    """Whether a segment was finished and can be opened; another is read as far as it goes."""
    highlevel = _load('rosbags.highlevel')
    if not (folder / METADATA).is_file():
        return False
    try:
        with highlevel.AnyReader([folder]):
            return True
    except highlevel.AnyReaderError:
        return False


def _is_wanted(topic: str, names: Sequence[str]) -> bool:
    return not names or topic.rsplit('/', 1)[-1] in names


def _read_whole(folder: Path, names: Sequence[str]) -> Iterator[BagMessage]:
    highlevel = _load('rosbags.highlevel')
    try:
        with highlevel.AnyReader([folder]) as reader:
            wanted = [c for c in reader.connections if _is_wanted(c.topic, names)]
            if not wanted:
                return
            for connection, stamp_ns, data in reader.messages(connections=wanted):
                yield BagMessage(
                    topic=connection.topic,
                    stamp_ns=stamp_ns,
                    message=reader.deserialize(data, connection.msgtype),
                )
    except highlevel.AnyReaderError as error:
        raise BagError(f"bag '{folder}' is damaged: {error}") from error


def _read_torn(folder: Path, names: Sequence[str]) -> Iterator[BagMessage]:
    """Read a segment that was never finished or is damaged, up to where it is torn."""
    typesys = _load('rosbags.typesys')
    stream_reader, records = _load('mcap.stream_reader'), _load('mcap.records')
    exceptions = _load('mcap.exceptions')
    types = typesys.get_typestore(typesys.Stores.ROS2_JAZZY)
    schemas: dict[int, Any] = {}
    channels: dict[int, Any] = {}
    for file in sorted(folder.glob('*.mcap')):
        with file.open('rb') as stream:
            reader = stream_reader.StreamReader(stream, record_size_limit=None)
            try:
                for record in reader.records:
                    if isinstance(record, records.Schema):
                        schemas[record.id] = record
                        text = record.data.decode('utf-8')
                        found = typesys.get_types_from_msg(text, record.name)
                        types.register({k: v for k, v in found.items() if k not in types.types})
                    elif isinstance(record, records.Channel):
                        channels[record.id] = record
                    elif isinstance(record, records.Message):
                        channel = channels[record.channel_id]
                        if _is_wanted(channel.topic, names):
                            name = schemas[channel.schema_id].name
                            yield BagMessage(
                                topic=channel.topic,
                                stamp_ns=record.log_time,
                                message=types.deserialize_cdr(record.data, name),
                            )
            except (exceptions.EndOfFile, exceptions.McapError, struct.error):
                continue  # here it is torn
