"""What a recorder has heard of each junction, and what it misses. No ROS in here."""

from __future__ import annotations

from saferl_ros.ros import names

SILENCE_S = 10.0  # a street says something every second or so


class Hearing:
    """
    Knows when each junction was last heard.

    :param now_s: when listening began, steady clock [s].
    """

    def __init__(self, now_s: float) -> None:
        self._began_s = now_s
        self._heard_s: dict[str, dict[str, float]] = {}  # junction's part of the topic, its topics

    def note(self, topic: str, now_s: float) -> None:
        """Take note of a message."""
        *_, root, junction, name = ['', '', *topic.split('/')]
        if root == names.ROOT:
            self._heard_s.setdefault(junction, {})[name] = now_s

    def missed(self, now_s: float) -> str:
        """Return in words what a recording of the street would lack; empty if nothing."""
        if not any(names.SIGNAL_STATE in heard for heard in self._heard_s.values()):
            if now_s - self._began_s <= SILENCE_S:
                return ''
            return (
                f'no street is heard: nothing on any {names.ROOT}/<junction>/{names.SIGNAL_STATE}'
                ' (is it published reliable and transient local?)'
            )
        missed = []
        for junction, heard in sorted(self._heard_s.items()):
            for name in (names.SIGNAL_STATE, names.DETECTORS):
                silent_s = now_s - heard.get(name, self._began_s)
                if silent_s > SILENCE_S:
                    missed.append(f'{junction}: no {name} for {silent_s:.0f} s')
            if names.DESCRIPTION not in heard and now_s - self._began_s > SILENCE_S:
                missed.append(
                    f'{junction}: no {names.DESCRIPTION}, without which nothing can be learned '
                    'from the recording'
                )
        return '; '.join(missed)
