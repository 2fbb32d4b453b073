"""The ``<tlLogic>`` elements of a network file as text: found, and replaced one by one."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import gzip
from pathlib import Path
import re
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from saferl_ros.errors import ScenarioError

_START_TAG = re.compile(rb'<[^>"\']*(?:"[^"]*"[^>"\']*|\'[^\']*\'[^>"\']*)*>')
_LINE_BREAK = re.compile(rb'\r?\n[ \t]*\Z')
_WIDE = (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)  # also how UTF-32 begins


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseText:
    """One ``<phase>`` where it stands."""

    start: int  # offset of its first byte
    tag_end: int  # offset behind its start tag
    end: int  # offset behind the whole element
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogicText:
    """One ``<tlLogic>`` where it stands."""

    tls_id: str
    start: int
    end: int
    phases: tuple[PhaseText, ...]


def read_bytes(path: Path) -> bytes:
    """
    Return a network file as it is, unpacked if it is ``.gz``.

    :raises ScenarioError: if it cannot be read, or is written in two bytes a letter.
    """
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == '.gz' else data
    except (OSError, EOFError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise ScenarioError(
            f"network file '{path}' cannot be read: {reason}; check the path"
        ) from error
    if data.startswith(_WIDE):
        raise ScenarioError(f"network file '{path}' is encoded in UTF-16; save it as UTF-8")
    return data


def find_logics(data: bytes) -> dict[str, LogicText]:
    """
    Return the program of each signal.

    Of several programs of one signal it is the last: SUMO runs the one that it loaded last.

    :param data: a network file that is known to be sound.
    """
    logics: dict[str, LogicText] = {}
    open_phase: tuple[int, int, Mapping[str, str]] = (0, 0, {})
    open_logic: tuple[int, str] = (0, '')
    phases: list[PhaseText] = []
    parser = expat.ParserCreate()

    def tag_end(start: int) -> int:
        tag = _START_TAG.match(data, start)
        assert tag, 'expat has read a tag here'
        return tag.end()

    def on_start(name: str, attributes: dict[str, str]) -> None:
        nonlocal open_phase, open_logic
        start = parser.CurrentByteIndex
        if name == 'tlLogic':
            open_logic = start, attributes.get('id', '')
            phases.clear()
        elif name == 'phase':
            open_phase = start, tag_end(start), attributes

    def on_end(name: str) -> None:
        if name not in ('tlLogic', 'phase'):
            return
        at = parser.CurrentByteIndex
        is_empty = not data.startswith(b'</', at)  # <phase/> has no end tag
        if name == 'phase':
            start, end_of_tag, attributes = open_phase
            end = end_of_tag if is_empty else tag_end(at)
            phases.append(
                PhaseText(start=start, tag_end=end_of_tag, end=end, attributes=attributes)
            )
        else:
            start, tls_id = open_logic
            end = tag_end(start if is_empty else at)
            logics[tls_id] = LogicText(tls_id=tls_id, start=start, end=end, phases=tuple(phases))

    parser.StartElementHandler = on_start
    parser.EndElementHandler = on_end
    parser.Parse(data, True)
    return logics


def phase_text(duration_s: float, lamps: str) -> bytes:
    """Return a new phase."""
    return f'<phase duration="{_seconds(duration_s)}" state="{lamps}"/>'.encode()


def changed_phase(data: bytes, phase: PhaseText, lamps: str, **seconds: float) -> bytes:
    """
    Return a phase with other lamps and other times; whatever else it states stays as it stands.

    :param seconds: values of its attributes ``duration``, ``minDur``, ``maxDur`` [s].
    """
    tag = data[phase.start : phase.tag_end]
    values = {'state': lamps} | {name: _seconds(value) for name, value in seconds.items()}
    for name, value in values.items():
        quoted = quoteattr(value).encode()
        pattern = re.compile(rb'(\s' + name.encode() + rb'\s*=\s*)(?:"[^"]*"|\'[^\']*\')')
        tag = pattern.sub(lambda found, quoted=quoted: found[1] + quoted, tag, count=1)  # type: ignore[misc]
    return tag + data[phase.tag_end : phase.end]


def _seconds(value: float) -> str:
    return f'{value:.3f}'.rstrip('0').rstrip('.')  # SUMO keeps milliseconds


def with_phases(data: bytes, logic: LogicText, phases: Sequence[bytes]) -> bytes:
    """
    Return the element with other phases; its own attributes and parameters stay as they stand.

    The new phases stand where the first one stood, each on a line of its own if that did.
    """
    first = logic.phases[0]
    line = _LINE_BREAK.search(data, logic.start, first.start)
    between = line[0] if line else b''
    text = data[logic.start : first.start] + between.join(phases)
    at = first.end
    for phase in logic.phases[1:]:
        text += data[at : phase.start].rstrip()  # a comment or a parameter between two phases
        at = phase.end
    return text + data[at : logic.end]


def replace_logics(data: bytes, changed: Mapping[str, bytes]) -> bytes:
    """
    Return a network file with some signals' elements replaced, everything else byte for byte.

    :param changed: signal to the text of its new element.
    """
    logics = find_logics(data)
    text, at = b'', 0
    for logic in sorted((logics[tls_id] for tls_id in changed), key=lambda logic: logic.start):
        text += data[at : logic.start] + changed[logic.tls_id]
        at = logic.end
    return text + data[at:]
