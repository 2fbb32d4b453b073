"""The only code that emits lamps."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
import math
from operator import index as as_index

from saferl_ros.errors import SignalPlanError
from saferl_ros.signals.plan import GREEN_LAMPS, SignalPlan

_FAR = 2**62  # a tick that never comes


class RequestVerdict(Enum):
    """What became of a request."""

    ACCEPTED = 'accepted'
    MALFORMED = 'malformed'  # not an integer
    OUT_OF_RANGE = 'out of range'  # no such stage
    CLEARING = 'clearing'  # yellow or all-red is running
    MIN_GREEN = 'min green'  # the running green is too young
    BOUND = 'bound'  # max green or max red leaves no room for it


class StageSequencer:
    """
    A junction's automaton: (requested stage, one tick of time) → lamp string.

    Whatever is asked, the lamps keep every minimum green, yellow and all-red complete, never show
    conflicting greens, and keep max green and max red. A request is data: it can be refused, never
    do harm. Time is counted in whole ticks, so a late call lengthens an interval and never
    shortens it.

    **Max red.** A link with a call (a vehicle waiting) must see green within ``plan.max_red_s``. A
    stage is legal only if, after it, all waiting links can still be served in the order of
    their deadlines; so the bound never meets a dead end.

    :param plan: what the junction may show.
    :param step_s: length of a tick [s].
    :param initial_stage: the stage that shows first.
    :param initial_green_s: how long it has been showing already [s].
    :raises SignalPlanError: if ``step_s`` is not positive or ``initial_stage`` does not exist.
    """

    def __init__(
        self,
        plan: SignalPlan,
        *,
        step_s: float = 1.0,
        initial_stage: int = 0,
        initial_green_s: float = 0.0,
    ) -> None:
        if not step_s > 0:
            raise SignalPlanError(f'step_s = {step_s} must be above zero')
        if not 0 <= initial_stage < plan.n_stages:
            raise SignalPlanError(
                f'initial stage {initial_stage} does not exist; '
                f"junction '{plan.junction_id}' has stages 0 to {plan.n_stages - 1}"
            )
        self.plan = plan
        self.step_s = step_s
        stages = range(plan.n_stages)
        self._min_green = [self._ticks(s.min_green_s) for s in plan.stages]
        self._max_green = [max(1, math.floor(s.max_green_s / step_s + 1e-9)) for s in plan.stages]
        self._yellow = [[self._ticks(plan.yellow_s[a][b]) for b in stages] for a in stages]
        self._clear = [
            [self._yellow[a][b] + self._ticks(plan.all_red_s[a][b]) for b in stages]
            for a in stages
        ]
        self._entering = [max(self._clear[a][b] for a in stages) for b in stages]
        self._max_red = math.floor(plan.max_red_s / step_s + 1e-9)
        self._greens = [
            frozenset(i for i, lamp in enumerate(s.lamps) if lamp in GREEN_LAMPS)
            for s in plan.stages
        ]
        self._cover = plan.cover_stages()
        self._lamps = [
            [(plan.clearance_lamps(a, b, 'y'), plan.clearance_lamps(a, b, 'r')) for b in stages]
            for a in stages
        ]
        order = [part.stage_index for part in plan.program] or list(stages)
        self._following = {s: order[(n + 1) % len(order)] for n, s in enumerate(order)}

        self.stage = initial_stage  # the stage that shows, or is being cleared for
        self.previous_stage = initial_stage
        self.is_clearing = False
        self.is_forced = False  # the running change was forced by a bound, not requested
        self._in_interval = self._ticks(
            initial_green_s
        )  # ticks of the running green or clearance so far
        self._now = 0  # ticks since the start
        self._called_at: list[int | None] = [None] * plan.n_links  # tick of the call, while red
        self._last_green_at = [0] * plan.n_stages
        self._requested: int | None = None
        self._last_lamps = ''
        self._last_calls: Sequence[bool] | None = None
        self._quiet_until = 0  # up to this tick a step only counts on
        self._legal: list[bool] = []  # answer of the last tick that was asked for it
        self._legal_at = -1
        self._keep_until: int | None = None  # last tick that the running green may go on for

    def _ticks(self, duration_s: float) -> int:
        return math.ceil(duration_s / self.step_s - 1e-9)

    @property
    def green_elapsed_s(self) -> float:
        """Displayed green of the running stage so far [s]; zero while clearing."""
        return 0.0 if self.is_clearing else self._in_interval * self.step_s

    @property
    def since_change_s(self) -> float:
        """Time since the running stage was chosen, its clearance included [s]."""
        clearance = 0 if self.is_clearing else self._clear[self.previous_stage][self.stage]
        return (self._in_interval + clearance) * self.step_s

    @property
    def is_min_green_over(self) -> bool:
        """
        Whether clearance and minimum green since the last change are over.

        Before the first change the start counts as one, with the longest clearance, as sumo-rl
        counts it; ``is_decision_due`` is what decides.
        """
        if self.previous_stage != self.stage:
            return self.is_decision_due
        return self._in_interval >= self._min_green[self.stage] + self._entering[self.stage]

    def since_served_s(self, stage: int) -> float:
        """Time since ``stage`` last showed green [s]; zero while it shows."""
        if stage == self.stage and not self.is_clearing:
            return 0.0
        return (self._now - self._last_green_at[stage]) * self.step_s

    @property
    def is_decision_due(self) -> bool:
        """Whether the minimum green is over, so that a request can change something."""
        return not self.is_clearing and self._in_interval >= self._min_green[self.stage]

    def legal_stages(self) -> list[bool]:
        """
        Return which stages may be requested now, shape ``(n_stages,)``.

        At least one is true. While clearing or within the minimum green it is the running stage.
        """
        if not self.is_decision_due:
            return [stage == self.stage for stage in range(self.plan.n_stages)]
        if self._legal_at == self._now:
            return self._legal.copy()
        legal = [self._is_feasible(stage) for stage in range(self.plan.n_stages)]
        if not any(legal):
            legal[self._forced_stage(legal)] = True
        self._legal, self._legal_at = legal, self._now
        return legal.copy()

    def request(self, stage: object) -> RequestVerdict:
        """
        Ask for ``stage`` to show next; keeping the running stage is a request like any other.

        :param stage: a stage index. Anything else is refused, whatever its type.
        :returns: what became of the request. Never raises.
        """
        try:
            wanted = as_index(stage)  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001 - whatever a request does when looked at, it is refused
            return RequestVerdict.MALFORMED
        if not 0 <= wanted < self.plan.n_stages:
            return RequestVerdict.OUT_OF_RANGE
        if self.is_clearing and wanted != self.stage:
            return RequestVerdict.CLEARING
        if not self.is_decision_due:
            return RequestVerdict.ACCEPTED if wanted == self.stage else RequestVerdict.MIN_GREEN
        if not self.legal_stages()[wanted]:
            return RequestVerdict.BOUND
        self._requested = wanted
        self._quiet_until = 0
        return RequestVerdict.ACCEPTED

    def step(self, calls: Sequence[bool] | None = None) -> str:
        """
        Advance one tick and return the lamps to show during it.

        :param calls: which links have a vehicle waiting, shape ``(n_links,)``. A call is kept
            until the link sees green. Without calls, every red link counts as called.
        :returns: lamp string in SUMO's letters, shape ``(n_links,)``.
        """
        if self._now < self._quiet_until and calls == self._last_calls:
            self._now += 1
            self._in_interval += 1
            if not self.is_clearing:
                self._last_green_at[self.stage] = self._now
            return self._last_lamps
        if self.is_decision_due:
            target = self.stage if self._requested is None else self._requested
            self._requested = None
            if target == self.stage and not self._may_keep():
                legal = [self._is_feasible(s) for s in range(self.plan.n_stages)]
                target = self._forced_stage(legal)
                self.is_forced = True
                self._begin_change(target)
            elif target != self.stage:
                self.is_forced = False
                self._begin_change(target)
        if self.is_clearing and (
            self._in_interval >= self._clear[self.previous_stage][self.stage]
        ):
            self.is_clearing = False
            self._in_interval = 0
        lamps = self._lamps_now()
        self._in_interval += 1
        self._now += 1
        if not self.is_clearing:
            self._last_green_at[self.stage] = self._now
        if lamps != self._last_lamps or calls != self._last_calls:
            self._note_calls(lamps, calls)
            self._last_lamps, self._last_calls = lamps, calls
            self._keep_until = None
        self._quiet_until = self._quiet_end()
        return lamps

    def _quiet_end(self) -> int:
        """Return the tick before which nothing changes unless calls or a request do."""
        if not self.is_clearing:
            least, longest = self._min_green[self.stage], self._max_green[self.stage]
            if self._in_interval < least:
                return self._now + least - self._in_interval
            self._may_keep()
            keep_until = self._now if self._keep_until is None else self._keep_until + 1
            return min(self._now + longest - self._in_interval, keep_until)
        a, b = self.previous_stage, self.stage
        # at the last tick of yellow the lamps are about to change: nothing is quiet
        end = self._yellow[a][b] if self._in_interval <= self._yellow[a][b] else self._clear[a][b]
        return self._now + end - self._in_interval

    def _begin_change(self, target: int) -> None:
        self.previous_stage, self.stage = self.stage, target
        self.is_clearing = True
        self._in_interval = 0

    def _lamps_now(self) -> str:
        if not self.is_clearing:
            return self.plan.stages[self.stage].lamps
        yellow, red = self._lamps[self.previous_stage][self.stage]
        return yellow if self._in_interval < self._yellow[self.previous_stage][self.stage] else red

    def _note_calls(self, lamps: str, calls: Sequence[bool] | None) -> None:
        called_at = self._called_at
        for link, lamp in enumerate(lamps):
            if lamp in GREEN_LAMPS:
                called_at[link] = None
            elif called_at[link] is None and (calls is None or calls[link]):
                called_at[link] = self._now - 1

    def _is_feasible(self, stage: int) -> bool:
        """Whether every waiting link can still be served in time if ``stage`` shows next."""
        if stage == self.stage:
            return self._may_keep()
        start = self._now + self._clear[self.stage][stage]
        if self._misses_deadline(stage, start):
            return False
        return start + self._min_green[stage] <= self._latest_end(stage)

    def _may_keep(self) -> bool:
        """Whether the running green may last another tick."""
        if self._in_interval >= self._max_green[self.stage]:
            return False
        if self._keep_until is None:
            self._keep_until = self._latest_end(self.stage) - 1
        return self._now <= self._keep_until

    def _latest_end(self, stage: int) -> int:
        """Return the last tick at which ``stage`` may end so that all waiting links make it."""
        latest, needed = _FAR, 0
        for deadline, waiting in self._deadlines(self._greens[stage]):
            needed += self._entering[waiting]
            latest = min(latest, deadline - needed)
            needed += self._min_green[waiting]
        return latest

    def _misses_deadline(self, stage: int, start: int) -> bool:
        return any(
            called is not None and start > called + self._max_red
            for called in (self._called_at[link] for link in self._greens[stage])
        )

    def _deadlines(self, served: frozenset[int]) -> list[tuple[int, int]]:
        """Return (latest start of green, stage) of the waiting cover stages, earliest first."""
        deadlines = []
        for stage, links in self._cover.items():
            waiting = [
                called
                for link in links
                if link not in served and (called := self._called_at[link]) is not None
            ]
            if waiting:
                deadlines.append((min(waiting) + self._max_red, stage))
        return sorted(deadlines)

    def _forced_stage(self, legal: list[bool]) -> int:
        """Return the stage that a bound forces: the most urgent legal one, else the next one."""
        others = [s for s in range(self.plan.n_stages) if s != self.stage]
        if not others:
            return self.stage
        urgent = [stage for _, stage in self._deadlines(frozenset()) if stage != self.stage]
        for stage in [*urgent, self._following.get(self.stage, others[0]), *others]:
            if stage != self.stage and legal[stage]:
                return stage
        return urgent[0] if urgent else others[0]
