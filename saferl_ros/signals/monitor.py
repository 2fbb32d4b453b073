"""An independent reader of lamps, as the conflict monitor in a cabinet is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
import math

_KNOWN_LAMPS = frozenset('GgyrsuoO')
_GREEN = 'Gg'
_ACTIVE = 'Ggy'
_NEVER = 10**9  # a tick beyond any run; minus that, a tick long ago
_MOST_REMEMBERED = 4096  # lamp strings; more can only be a fault, and memory stays bounded


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorCard:
    """
    What the monitor knows of a junction: what is soldered on a cabinet monitor's program card.

    It is written once per junction (``monitor_card.card_of``), beside the sequencer and apart from
    it; no stage and no request stands on it.
    """

    foes: tuple[tuple[bool, ...], ...]  # (n_links, n_links), symmetric: paths cross or merge
    may_permit: tuple[tuple[bool, ...], ...]  # [i][j]: link i may be permissive beside link j
    is_crossing: tuple[bool, ...]  # (n_links,) pedestrians: no yellow
    min_green_s: tuple[float, ...]  # (n_links,) of a crossing: walk
    min_yellow_s: tuple[float, ...]  # (n_links,)
    min_red_s: tuple[tuple[float, ...], ...]  # (n_links, n_links) [i][j]: red of link i before its
    # foe j starts; for a crossing i: after its walk
    is_served: tuple[bool, ...]  # (n_links,) whether some stage gives it green
    max_green_s: float  # longest time that the same lamps may show some green
    max_red_s: float  # longest wait of a called link

    @property
    def n_links(self) -> int:
        """Number of lamps."""
        return len(self.foes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One broken rule: when, which, by which links, and the value against the bound."""

    sim_time_s: float
    rule: str
    links: tuple[int, ...]
    found: float
    required: float


class ConflictMonitor:
    """
    Reads one lamp string per tick and latches every broken rule.

    It knows the program card alone, nothing of stages or requests, and shares no code with the
    sequencer: each checks the other. A monitor may be given another card than that of the plan
    that runs, to hold a network's own program against the rules.

    Rules: ``conflicting_greens``, ``short_green``, ``short_yellow``, ``missing_yellow``,
    ``short_all_red``, ``short_walk``, ``short_walk_clearance``, ``red_failure`` (a lamp that is no
    lamp), ``long_green``, and ``long_red`` where it is told of calls.

    :param card: the rules.
    :param step_s: length of a tick [s].
    :param keep: how many faults to keep in full; all are counted.
    """

    def __init__(self, card: MonitorCard, *, step_s: float = 1.0, keep: int = 100) -> None:
        n_links = card.n_links
        self.counts: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self.is_latched = False  # a fault was found since the last reset
        self._card = card
        self._step_s = step_s
        self._keep = keep
        self._tick = 0
        self._last = ''
        self._last_calls: Sequence[bool] | None = None
        self._is_held = False
        self._max_green_ticks = math.floor(card.max_green_s / step_s + 1e-9)
        self._max_red_s = card.max_red_s
        self._conflicts: dict[tuple[str, str], tuple[tuple[int, int], ...]] = {}
        self._forget(n_links)

    def _forget(self, n_links: int) -> None:
        self._shown_since = self._tick  # tick at which the running lamps first showed
        self._green_since = [-_NEVER] * n_links
        self._yellow_since = [-_NEVER] * n_links
        self._yellow_from = [''] * n_links  # the green that the running yellow ends
        self._red_since = [-_NEVER] * n_links
        self._called_at: list[int | None] = [None] * n_links
        self._alarm_at = 0  # up to this tick a step only counts on while nothing changes
        self._long_green_at = _NEVER
        self._red_deadline = _NEVER
        self._in_conflict: frozenset[tuple[int, int]] = frozenset()

    @property
    def n_faults(self) -> int:
        """Number of faults so far."""
        return self.counts.total()

    def reset(self) -> None:
        """Open the latch and read on as at the start; what was counted stays counted."""
        self.is_latched = False
        self._last, self._last_calls = '', None
        self._forget(self._card.n_links)

    def restart_red(self, max_red_s: float | None = None) -> None:
        """
        Start the waits of ``long_red`` anew, as after a preemption.

        :param max_red_s: the bound from now on; without it that of the card.
        """
        self._called_at = [None] * self._card.n_links
        self._max_red_s = self._card.max_red_s if max_red_s is None else max_red_s
        self._last_calls, self._red_deadline, self._alarm_at = None, _NEVER, 0

    def step(
        self, lamps: str, calls: Sequence[bool] | None = None, *, is_held: bool = False
    ) -> None:
        """
        Read the lamps of one tick.

        :param lamps: what is shown during the tick, shape ``(n_links,)``.
        :param calls: which links have somebody waiting; without it red times are not judged.
        :param is_held: an emergency vehicle or the operator holds the junction: long greens and
            long reds are meant.
        """
        calls = None if calls is None else tuple(calls)  # the caller may reuse what it gave
        if (
            lamps == self._last
            and calls == self._last_calls
            and is_held == self._is_held
            and self._tick < self._alarm_at
        ):
            self._tick += 1
            return
        if is_held != self._is_held:
            self._is_held, self._shown_since = is_held, self._tick
            self.restart_red(self._max_red_s)
            self._set_long_green(lamps)
        if lamps != self._last:
            self._read(lamps)
        if calls is not None and not is_held and len(lamps) == len(calls) == self._card.n_links:
            self._note_calls(lamps, calls)
        self._last, self._last_calls = lamps, calls
        if self._tick >= self._long_green_at:
            self._check_long_green(lamps)
        if calls is not None and self._tick > self._red_deadline:
            self._check_long_red()
        self._alarm_at = min(self._long_green_at, self._red_deadline + 1)
        self._tick += 1

    def _latch(self, rule: str, links: tuple[int, ...], found: float, required: float) -> None:
        self.is_latched = True
        self.counts[rule] += 1
        if len(self.faults) < self._keep:
            self.faults.append(
                Fault(
                    sim_time_s=self._tick * self._step_s,
                    rule=rule,
                    links=links,
                    found=found,
                    required=required,
                )
            )

    def _set_long_green(self, lamps: str) -> None:
        # yellow is no stage; it has bounds of its own
        is_free = self._is_held or 'y' in lamps
        self._long_green_at = _NEVER if is_free else self._tick + self._max_green_ticks

    def _read(self, lamps: str) -> None:
        """Judge a change of lamps."""
        n_links = self._card.n_links
        self._shown_since = self._tick
        self._set_long_green(lamps)
        if len(lamps) != n_links or not _KNOWN_LAMPS.issuperset(lamps):
            self._latch('red_failure', (), len(lamps), n_links)
            return
        before = self._last if len(self._last) == n_links else lamps
        changed = [link for link in range(n_links) if before[link] != lamps[link]]
        for link in changed:
            self._check_change(link, before[link], lamps[link])
        self._check_conflicts(lamps)
        for link in changed:
            # from permissive to protected is a start too: nobody may be in the way any more
            if lamps[link] == 'G' or (lamps[link] == 'g' and before[link] != 'G'):
                self._check_start(link, lamps)

    def _check_change(self, link: int, before: str, lamp: str) -> None:
        if lamp in _GREEN and before not in _GREEN:
            self._green_since[link] = self._tick
        elif before in _GREEN and lamp not in _GREEN:
            self._check_end_of_green(link)
        if lamp not in _ACTIVE and before in _ACTIVE:
            self._red_since[link] = self._tick
        if lamp == 'y':
            if before != 'y':
                self._yellow_since[link] = self._tick
                self._yellow_from[link] = before
        elif before in _GREEN and lamp not in _GREEN:
            if not self._card.is_crossing[link]:
                self._latch('missing_yellow', (link,), 0.0, self._card.min_yellow_s[link])
        elif before == 'y':
            shown_s = (self._tick - self._yellow_since[link]) * self._step_s
            if shown_s + 1e-9 < self._card.min_yellow_s[link]:
                self._latch('short_yellow', (link,), shown_s, self._card.min_yellow_s[link])

    def _check_end_of_green(self, link: int) -> None:
        shown_s = (self._tick - self._green_since[link]) * self._step_s
        if shown_s + 1e-9 < self._card.min_green_s[link]:
            rule = 'short_walk' if self._card.is_crossing[link] else 'short_green'
            self._latch(rule, (link,), shown_s, self._card.min_green_s[link])

    def _check_conflicts(self, lamps: str) -> None:
        rights = ''.join(
            self._yellow_from[link] or 'g' if lamp == 'y' else lamp  # unseen, it has the doubt
            for link, lamp in enumerate(lamps)
        )
        pairs = self._conflicts.get((lamps, rights))
        if pairs is None:
            pairs = self._find_conflicts(lamps, rights)
            if len(self._conflicts) >= _MOST_REMEMBERED:
                self._conflicts.clear()
            self._conflicts[lamps, rights] = pairs
        if pairs or self._in_conflict:
            for pair in pairs:
                if pair not in self._in_conflict:
                    self._latch('conflicting_greens', pair, 0.0, 0.0)
            self._in_conflict = frozenset(pairs)

    def _find_conflicts(self, lamps: str, rights: str) -> tuple[tuple[int, int], ...]:
        """Return the conflicting pairs; a yellow counts as the green that it ends."""
        foes, may_permit = self._card.foes, self._card.may_permit
        active = [link for link, lamp in enumerate(lamps) if lamp in _ACTIVE]
        return tuple(
            (i, j)
            for n, i in enumerate(active)
            for j in active[n + 1 :]
            if foes[i][j]
            and not (rights[i] == 'g' and may_permit[i][j])
            and not (rights[j] == 'g' and may_permit[j][i])
        )

    def _check_start(self, link: int, lamps: str) -> None:
        """A link that starts: every foe must have been red for its clearance time."""
        for foe, is_foe in enumerate(self._card.foes[link]):
            if is_foe and lamps[foe] not in _ACTIVE:
                red_s = (self._tick - self._red_since[foe]) * self._step_s
                required_s = self._card.min_red_s[foe][link]
                if red_s + 1e-9 < required_s:
                    is_crossing = self._card.is_crossing[foe]
                    rule = 'short_walk_clearance' if is_crossing else 'short_all_red'
                    self._latch(rule, (foe, link), red_s, required_s)

    def _check_long_green(self, lamps: str) -> None:
        """The same lamps have shown longer than any green may last."""
        self._long_green_at = _NEVER  # one fault a display
        links = tuple(i for i, lamp in enumerate(lamps) if lamp in _GREEN)
        if links:
            shown_s = (self._tick + 1 - self._shown_since) * self._step_s
            self._latch('long_green', links, shown_s, self._card.max_green_s)

    def _note_calls(self, lamps: str, calls: Sequence[bool]) -> None:
        called_at, earliest = self._called_at, _NEVER
        for link, lamp in enumerate(lamps):
            if lamp in _GREEN:
                called_at[link] = None
                continue
            called = called_at[link]
            if called is None:
                if not calls[link] or not self._card.is_served[link]:
                    continue
                called = called_at[link] = self._tick
            earliest = min(earliest, called)
        self._red_deadline = earliest + math.floor(self._max_red_s / self._step_s + 1e-9)

    def _check_long_red(self) -> None:
        for link, called in enumerate(self._called_at):
            if called is not None:
                waited_s = (self._tick - called) * self._step_s
                if waited_s > self._max_red_s + 1e-9:
                    self._latch('long_red', (link,), waited_s, self._max_red_s)
                    self._called_at[link] = None  # one fault a wait
        waiting = (called for called in self._called_at if called is not None)
        first = min(waiting, default=_NEVER)
        self._red_deadline = first + math.floor(self._max_red_s / self._step_s + 1e-9)
