"""An independent reader of lamps, as the conflict monitor in a cabinet is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
import math

from saferl_ros.signals.plan import SignalPlan

_KNOWN_LAMPS = frozenset('GgyrsuoO')
_GREEN = 'Gg'
_ACTIVE = 'Ggy'
_NEVER = 10**9  # a tick beyond any run; minus that, a tick long ago


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

    It knows the conflict matrix and the clearance each link needs, nothing of stages or requests,
    and shares no code with the sequencer: each checks the other. A monitor may be
    given a plan other than the one that runs, to hold a network's own program against the rules.

    Rules: ``conflicting_greens``, ``short_yellow``, ``missing_yellow``, ``short_all_red``,
    ``red_failure`` (a lamp that is no lamp), ``long_green``, ``long_red`` (only when told of
    calls).

    :param plan: the rules.
    :param step_s: length of a tick [s].
    :param keep: how many faults to keep in full; all are counted.
    """

    def __init__(self, plan: SignalPlan, *, step_s: float = 1.0, keep: int = 100) -> None:
        n_links = len(plan.links)
        self.counts: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self._plan = plan
        self._step_s = step_s
        self._keep = keep
        self._tick = 0
        self._last = ''
        self._last_calls: Sequence[bool] | None = None
        self._shown_since = 0  # tick at which the running lamps first showed
        self._yellow_since = [0] * n_links
        self._yellow_from = [''] * n_links  # the green that the running yellow ends
        self._red_since = [-_NEVER] * n_links
        self._called_at: list[int | None] = [None] * n_links
        # links that keep green through a change may show the same lamps during its clearance
        stages = range(len(plan.stages))
        self._max_green = max(stage.max_green_s for stage in plan.stages) + max(
            plan.all_red_s[a][b] + (0.0 if plan.losing(a, b) else plan.yellow_s[a][b])
            for a in stages
            for b in stages
        )
        self._alarm_at = 0  # up to this tick a step only counts on while nothing changes
        self._long_green_at = _NEVER
        self._red_deadline = _NEVER
        self._in_conflict: set[tuple[int, int]] = set()

    @property
    def n_faults(self) -> int:
        """Number of faults so far."""
        return self.counts.total()

    def step(self, lamps: str, calls: Sequence[bool] | None = None) -> None:
        """
        Read the lamps of one tick.

        :param lamps: what is shown during the tick, shape ``(n_links,)``.
        :param calls: which links have a vehicle waiting; without it red times are not judged.
        """
        if lamps == self._last and calls == self._last_calls and self._tick < self._alarm_at:
            self._tick += 1
            return
        if lamps != self._last:
            self._read(lamps)
            if calls is not None:
                self._note_calls(lamps, calls)
        elif calls is not None and calls != self._last_calls:
            self._note_calls(lamps, calls)
        self._last, self._last_calls = lamps, calls
        if self._tick >= self._long_green_at:
            self._check_long_green(lamps)
        if self._tick > self._red_deadline:
            self._check_long_red()
        self._alarm_at = min(self._long_green_at, self._red_deadline + 1)
        self._tick += 1

    def _latch(self, rule: str, links: tuple[int, ...], found: float, required: float) -> None:
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

    def _read(self, lamps: str) -> None:
        """Judge a change of lamps."""
        n_links = len(self._red_since)
        self._shown_since = self._tick
        self._long_green_at = (
            _NEVER  # yellow is no stage; it has bounds of its own
            if 'y' in lamps
            else self._tick + math.floor(self._max_green / self._step_s + 1e-9)
        )
        if len(lamps) != n_links or not _KNOWN_LAMPS.issuperset(lamps):
            self._latch('red_failure', (), len(lamps), n_links)
            return
        before = self._last if len(self._last) == n_links else lamps
        for link, lamp in enumerate(lamps):
            self._check_change(link, before[link], lamp)
        self._check_conflicts(lamps)
        for link, lamp in enumerate(lamps):
            if lamp in _GREEN and before[link] not in _GREEN:
                self._check_clearance(link, lamps)

    def _check_change(self, link: int, before: str, lamp: str) -> None:
        if lamp not in _ACTIVE and before in _ACTIVE:
            self._red_since[link] = self._tick
        if lamp == 'y':
            if before != 'y':
                self._yellow_since[link] = self._tick
                self._yellow_from[link] = before
        elif before in _GREEN and lamp not in _GREEN:
            self._latch('missing_yellow', (link,), 0.0, self._plan.min_yellow_s[link])
        elif before == 'y':
            shown_s = (self._tick - self._yellow_since[link]) * self._step_s
            if shown_s + 1e-9 < self._plan.min_yellow_s[link]:
                self._latch('short_yellow', (link,), shown_s, self._plan.min_yellow_s[link])

    def _check_conflicts(self, lamps: str) -> None:
        active = [link for link, lamp in enumerate(lamps) if lamp in _ACTIVE]
        found = set()
        for n, i in enumerate(active):
            for j in active[n + 1 :]:
                if self._plan.foes[i][j] and not (
                    self._is_permitted(i, j, lamps) or self._is_permitted(j, i, lamps)
                ):
                    found.add((i, j))
                    if (i, j) not in self._in_conflict:
                        self._latch('conflicting_greens', (i, j), 0.0, 0.0)
        self._in_conflict = found

    def _is_permitted(self, i: int, j: int, lamps: str) -> bool:
        """Whether link ``i`` is a turn on permissive green that must give way to ``j``."""
        right = lamps[i] if lamps[i] != 'y' else self._yellow_from[i]
        is_turn = self._plan.links[i].direction in ('l', 'L', 'r', 'R', 't')
        return right == 'g' and is_turn and self._plan.yields[i][j]

    def _check_clearance(self, link: int, lamps: str) -> None:
        """A link that turns green: every foe must have been red for its clearance time."""
        for foe, is_foe in enumerate(self._plan.foes[link]):
            if is_foe and lamps[foe] not in _ACTIVE:
                red_s = (self._tick - self._red_since[foe]) * self._step_s
                if red_s + 1e-9 < self._plan.min_all_red_s[foe]:
                    self._latch('short_all_red', (foe, link), red_s, self._plan.min_all_red_s[foe])

    def _check_long_green(self, lamps: str) -> None:
        """The same lamps have shown longer than any green may last."""
        self._long_green_at = _NEVER  # one fault a display
        links = tuple(i for i, lamp in enumerate(lamps) if lamp in _GREEN)
        if links:
            shown_s = (self._tick + 1 - self._shown_since) * self._step_s
            self._latch('long_green', links, shown_s, self._max_green)

    def _note_calls(self, lamps: str, calls: Sequence[bool]) -> None:
        for link, lamp in enumerate(lamps):
            if lamp in _GREEN:
                self._called_at[link] = None
            elif self._called_at[link] is None and calls[link]:
                self._called_at[link] = self._tick
        self._red_deadline = min(
            (called for called in self._called_at if called is not None), default=_NEVER
        ) + int(self._plan.max_red_s / self._step_s)

    def _check_long_red(self) -> None:
        for link, called in enumerate(self._called_at):
            if called is not None:
                waited_s = (self._tick - called) * self._step_s
                if waited_s > self._plan.max_red_s + 1e-9:
                    self._latch('long_red', (link,), waited_s, self._plan.max_red_s)
                    self._called_at[link] = None  # one fault a wait
        self._red_deadline = _NEVER
