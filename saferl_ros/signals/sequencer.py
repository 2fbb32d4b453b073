"""The only code that emits lamps that anybody asks for; a cabinet at fault flashes by itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from copy import copy
from enum import Enum
import math
from operator import index as as_index
from typing import Self

from saferl_ros.errors import SignalPlanError
from saferl_ros.signals.plan import GREEN_LAMPS, SignalPlan

START_UP_RED_S = 6.0  # all-red before the first green after a restart; MUTCD 2009, section 4D.31
MAX_PREEMPTION_S = 600.0  # no emergency vehicle needs longer; beyond it the input has failed
_FAR = 2**62  # a tick that never comes


class RequestVerdict(Enum):
    """What became of a request."""

    ACCEPTED = 'accepted'
    MALFORMED = 'malformed'  # not an integer
    OUT_OF_RANGE = 'out of range'  # no such stage
    CLEARING = 'clearing'  # walk clearance, yellow or all-red is running
    MIN_GREEN = 'min green'  # the running green is too young
    BOUND = 'bound'  # max green or max red leaves no room for it
    OMITTED = 'omitted'  # the operator has taken the stage out
    PREEMPTED = 'preempted'  # an emergency vehicle has the junction


class StageSequencer:
    """
    A junction's automaton: (requested stage, one tick of time) → lamp string.

    Whatever is asked, the lamps keep every minimum green, walk, pedestrian clearance, yellow and
    all-red complete, never show conflicting greens, and keep max green and max red. A request is
    data: it can be refused, never do harm. Time is counted in whole ticks, so a late call
    lengthens an interval and never shortens it.

    **Max red.** A link with a call (a vehicle or a pedestrian waiting) must see green within
    ``max_red_s``. A stage is legal only if, after it, all waiting links can still be served in the
    order of their deadlines; so the bound never meets a dead end.

    **Preemption and omitted stages.** An emergency vehicle's stage comes as soon as every running
    minimum and clearance is complete, and holds until it is released or times out. An omitted
    stage is never begun. Both change who can be served when, so the waits of max red start anew
    with them (``red_bound_epoch`` counts how often); ``max_red_s`` is what holds now.

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
        self._max_green = [
            max(least, math.floor(s.max_green_s / step_s + 1e-9))
            for s, least in zip(plan.stages, self._min_green, strict=True)
        ]
        # (ticks from the start of the change until the interval ends, lamps)
        self._changes = [[self._timeline(a, b) for b in stages] for a in stages]
        self._clear = [[line[-1][0] if line else 0 for line in row] for row in self._changes]
        self._entering = [max(self._clear[a][b] for a in stages) for b in stages]
        self._greens = [frozenset(plan.greens(s)) for s in stages]
        order = [part.stage_index for part in plan.program] or list(stages)
        self._following = {s: order[(n + 1) % len(order)] for n, s in enumerate(order)}

        self.stage = initial_stage  # the stage that shows, or is being cleared for
        self.previous_stage = initial_stage
        self.is_clearing = False
        self.is_forced = False  # the running change was forced by a bound, not requested
        self.red_bound_epoch = 0
        self.n_dead_ends = 0  # times that no stage could keep every bound; stays zero
        self._change: tuple[tuple[int, str], ...] = ()  # the running or the last change
        self._in_interval = self._ticks(initial_green_s)  # ticks of the running green or change
        self._now = 0  # ticks since the start
        self._called_at: list[int | None] = [None] * plan.n_links  # tick of the call, while red
        self._last_green_at = [0] * plan.n_stages
        self._requested: int | None = None
        self._omitted: frozenset[int] = frozenset()
        self._preempted_for: int | None = None
        self._preempted_until = _FAR
        self._is_starting_up = False
        self._use_cover()
        self._last_lamps = ''
        self._last_calls: Sequence[bool] | None = None
        self._quiet_until = 0  # up to this tick a step only counts on
        self._legal: list[bool] = []  # answer of the last tick that was asked for it
        self._legal_at = -1
        self._keep_until: int | None = None  # last tick that the running green may go on for

    def _ticks(self, duration_s: float) -> int:
        return math.ceil(duration_s / self.step_s - 1e-9)

    def _timeline(self, a: int, b: int) -> tuple[tuple[int, str], ...]:
        line, end = [], 0
        for duration_s, lamps in self.plan.change_lamps(a, b):
            end += self._ticks(duration_s)
            line.append((end, lamps))
        return tuple(line)

    def _use_cover(self) -> None:
        """Take the stages that are not omitted as those that serve everybody in time."""
        self._cover = self.plan.cover_stages(self._omitted)
        bound_s = max(self.plan.max_red_s, self.plan.round_s(self._omitted))
        self._max_red = math.floor(bound_s / self.step_s + 1e-9)
        covered = {link for links in self._cover.values() for link in links}
        self._is_only_stage = self.plan.n_stages - len(self._omitted) == 1
        self._is_covered = [link in covered for link in range(self.plan.n_links)]

    @property
    def max_red_s(self) -> float:
        """The longest wait of a called link until its green, as it holds now [s]."""
        return self._max_red * self.step_s

    @property
    def green_elapsed_s(self) -> float:
        """Displayed green of the running stage so far [s]; zero while clearing."""
        return 0.0 if self.is_clearing else self._in_interval * self.step_s

    @property
    def since_change_s(self) -> float:
        """Time since the running stage was chosen, its clearance included [s]."""
        clearance = self._change[-1][0] if self._change and not self.is_clearing else 0
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

    @property
    def is_held(self) -> bool:
        """Whether one stage shows as long as somebody wants: preempted, or the only one left."""
        return self.is_preempted or self._is_only_stage

    @property
    def served_links(self) -> Sequence[bool]:
        """Which links some stage in service gives green, shape ``(n_links,)``."""
        return self._is_covered

    @property
    def is_preempted(self) -> bool:
        """Whether an emergency vehicle has the junction."""
        return self._preempted_for is not None

    @property
    def omitted_stages(self) -> frozenset[int]:
        """The stages that the operator has taken out."""
        return self._omitted

    def legal_stages(self) -> list[bool]:
        """
        Return which stages may be requested now, shape ``(n_stages,)``.

        At least one is true. While clearing or within the minimum green it is the running stage.
        """
        if not self.is_decision_due:
            return [stage == self.stage for stage in range(self.plan.n_stages)]
        if self._legal_at != self._now:
            self._legal, self._legal_at = self._find_legal(), self._now
        return self._legal.copy()

    def _find_legal(self) -> list[bool]:
        if self._preempted_for is not None:
            return [stage == self._preempted_for for stage in range(self.plan.n_stages)]
        legal = [self._is_feasible(stage) for stage in range(self.plan.n_stages)]
        if not any(legal):
            self.n_dead_ends += 1
            legal[self._forced_stage(legal)] = True
        return legal

    def request(self, stage: object) -> RequestVerdict:
        """
        Ask for ``stage`` to show next; keeping the running stage is a request like any other.

        :param stage: a stage index. Anything else is refused, whatever its type.
        :returns: what became of the request. Never raises.
        """
        verdict, wanted = self._as_stage(stage)
        if verdict is not RequestVerdict.ACCEPTED:
            return verdict
        if self._preempted_for is not None and wanted != self._preempted_for:
            return RequestVerdict.PREEMPTED
        if self.is_clearing and wanted != self.stage:
            return RequestVerdict.CLEARING
        if not self.is_decision_due:
            return RequestVerdict.ACCEPTED if wanted == self.stage else RequestVerdict.MIN_GREEN
        if not self.legal_stages()[wanted]:
            return RequestVerdict.OMITTED if wanted in self._omitted else RequestVerdict.BOUND
        self._requested = wanted
        self._quiet_until = 0
        return RequestVerdict.ACCEPTED

    def _as_stage(self, stage: object) -> tuple[RequestVerdict, int]:
        try:
            wanted = as_index(stage)  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001 - whatever a request does when looked at, it is refused
            return RequestVerdict.MALFORMED, -1
        if not 0 <= wanted < self.plan.n_stages:
            return RequestVerdict.OUT_OF_RANGE, -1
        return RequestVerdict.ACCEPTED, wanted

    def preempt(self, stage: object, timeout_s: float) -> RequestVerdict:
        """
        Give the junction to an emergency vehicle.

        Its stage shows as soon as every running minimum and clearance is complete, and holds until
        ``end_preemption`` or until ``timeout_s`` after this call, whichever comes first.

        :param stage: the stage to hold.
        :param timeout_s: from now on, above zero and at most 600 [s].
        :returns: ``ACCEPTED``, or why not. Never raises.
        """
        verdict, wanted = self._as_stage(stage)
        if verdict is not RequestVerdict.ACCEPTED:
            return verdict
        try:
            is_bounded = 0 < timeout_s <= MAX_PREEMPTION_S
        except Exception:  # noqa: BLE001 - as for a request
            return RequestVerdict.MALFORMED
        if not is_bounded:
            return RequestVerdict.OUT_OF_RANGE
        if wanted in self._omitted:
            return RequestVerdict.OMITTED
        self._preempted_for, self._requested = wanted, None
        self._preempted_until = self._now + self._ticks(timeout_s)
        self._restart_red_bound()
        return RequestVerdict.ACCEPTED

    def end_preemption(self) -> None:
        """Take the junction back; without a preemption nothing happens."""
        if self._preempted_for is not None:
            self._preempted_for, self._preempted_until = None, _FAR
            self._restart_red_bound()

    def omit(self, stages: Collection[int]) -> RequestVerdict:
        """
        Take these stages out of service, and no others; an empty collection puts all back.

        :returns: ``OUT_OF_RANGE`` if one does not exist or none would be left, ``PREEMPTED`` if an
            emergency vehicle holds one of them, ``MALFORMED`` if it is no collection of integers,
            else ``ACCEPTED``. Never raises.
        """
        try:
            omitted = frozenset(as_index(stage) for stage in stages)
        except Exception:  # noqa: BLE001 - as for a request
            return RequestVerdict.MALFORMED
        everyone = frozenset(range(self.plan.n_stages))
        if not omitted < everyone:
            return RequestVerdict.OUT_OF_RANGE
        if self._preempted_for in omitted:
            return RequestVerdict.PREEMPTED
        if omitted != self._omitted:
            self._omitted = omitted
            self._use_cover()
            self._restart_red_bound()
        return RequestVerdict.ACCEPTED

    def restart(self, stage: int = 0) -> None:
        """
        Start again from red: everybody red for six seconds, then ``stage``.

        For the way back from flash, when nobody knows what drivers have done meanwhile.

        :raises SignalPlanError: if the stage does not exist.
        """
        if not 0 <= stage < self.plan.n_stages:
            raise SignalPlanError(f'stage {stage} to restart with does not exist')
        if stage in self._omitted:
            stage = min(set(range(self.plan.n_stages)) - self._omitted)
        self.stage = self.previous_stage = stage
        self._is_starting_up = True
        self._change = ((self._ticks(START_UP_RED_S), 'r' * self.plan.n_links),)
        self.is_clearing, self.is_forced = True, False
        self._in_interval = 0
        self._preempted_for, self._preempted_until = None, _FAR
        self._restart_red_bound()

    def _restart_red_bound(self) -> None:
        self._called_at = [None if at is None else self._now for at in self._called_at]
        self.red_bound_epoch += 1
        self._requested = None
        self._legal_at, self._keep_until, self._quiet_until = -1, None, 0

    def step(self, calls: Sequence[bool] | None = None) -> str:
        """
        Advance one tick and return the lamps to show during it.

        :param calls: which links have a vehicle or a pedestrian waiting, shape ``(n_links,)``. A
            call is kept until the link sees green. Without calls, every red link counts as called.
        :returns: lamp string in SUMO's letters, shape ``(n_links,)``.
        """
        calls = None if calls is None else tuple(calls)  # the caller may reuse what it gave
        if self._now < self._quiet_until and calls == self._last_calls:
            self._now += 1
            self._in_interval += 1
            if not self.is_clearing:
                self._last_green_at[self.stage] = self._now
            return self._last_lamps
        if self._now >= self._preempted_until:
            self.end_preemption()
        if self.is_decision_due:
            self._decide()
        if self.is_clearing and (not self._change or self._in_interval >= self._change[-1][0]):
            self.is_clearing = False
            self._in_interval = 0
            if self._is_starting_up:  # nobody could be served in that red
                self._is_starting_up = False
                self._restart_red_bound()
        lamps = self._lamps_now()
        self._in_interval += 1
        self._now += 1
        if not self.is_clearing:
            self._last_green_at[self.stage] = self._now
        if lamps != self._last_lamps or calls != self._last_calls:
            self._note_calls(lamps, calls)
            self._last_lamps, self._last_calls = lamps, calls
            self._keep_until = None
        self._quiet_until = min(self._quiet_end(), self._preempted_until)
        return lamps

    def _decide(self) -> None:
        """Begin a change if one is requested, or if a bound or an emergency vehicle forces it."""
        target = self.stage if self._requested is None else self._requested
        self._requested = None
        if self._preempted_for is not None:
            if self._preempted_for != self.stage:
                self.is_forced = True
                self._begin_change(self._preempted_for)
        elif target == self.stage and not self._may_keep():
            target = self._forced_stage([self._is_feasible(s) for s in range(self.plan.n_stages)])
            self.is_forced = True
            self._begin_change(target)
        elif target != self.stage:
            self.is_forced = False
            self._begin_change(target)

    def _quiet_end(self) -> int:
        """Return the tick before which nothing changes unless calls or a request do."""
        if not self.is_clearing:
            least, longest = self._min_green[self.stage], self._max_green[self.stage]
            if self._in_interval < least:
                return self._now + least - self._in_interval
            if self._preempted_for is not None:
                return self._preempted_until if self._preempted_for == self.stage else self._now
            if not self._may_keep() or self._keep_until is None:
                return self._now
            return min(self._now + longest - self._in_interval, self._keep_until + 1)
        # at the last tick of an interval the lamps are about to change: nothing is quiet
        end = next((end for end, _ in self._change if end >= self._in_interval), 0)
        return self._now + end - self._in_interval

    def _begin_change(self, target: int) -> None:
        self.previous_stage, self.stage = self.stage, target
        self._change = self._changes[self.previous_stage][target]
        self.is_clearing = True
        self._in_interval = 0

    def _lamps_now(self) -> str:
        if not self.is_clearing:
            return self.plan.stages[self.stage].lamps
        return next(lamps for end, lamps in self._change if self._in_interval < end)

    def _note_calls(self, lamps: str, calls: Sequence[bool] | None) -> None:
        called_at = self._called_at
        for link, lamp in enumerate(lamps):
            if lamp in GREEN_LAMPS:
                called_at[link] = None
            elif called_at[link] is None and (calls is None or calls[link]):
                called_at[link] = self._now - 1

    def _is_feasible(self, stage: int) -> bool:
        """Whether every waiting link can still be served in time if ``stage`` shows next."""
        if stage in self._omitted:
            return False
        if stage == self.stage:
            return self._may_keep()
        start = self._now + self._clear[self.stage][stage]
        if self._misses_deadline(stage, start):
            return False
        return start + self._min_green[stage] <= self._latest_end(stage)

    def _may_keep(self) -> bool:
        """Whether the running green may last another tick."""
        if self.stage in self._omitted:
            return False
        if self._in_interval >= self._max_green[self.stage] and not self._is_only_stage:
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
        latest = start - self._max_red
        for link in self._greens[stage]:
            called = self._called_at[link]
            if called is not None and called < latest and self._is_covered[link]:
                return True
        return False

    def _deadlines(self, served: frozenset[int]) -> list[tuple[int, int]]:
        """Return (latest start of green, stage) of the waiting cover stages, earliest first."""
        deadlines = []
        for stage, links in self._cover.items():
            first = _FAR
            for link in links:
                called = self._called_at[link]
                if called is not None and called < first and link not in served:
                    first = called
            if first < _FAR:
                deadlines.append((first + self._max_red, stage))
        deadlines.sort()
        return deadlines

    def _forced_stage(self, legal: list[bool]) -> int:
        """Return the stage that a bound forces: the most urgent legal one, else the next one."""
        others = [
            s for s in range(self.plan.n_stages) if s != self.stage and s not in self._omitted
        ]
        if not others:
            return self.stage
        urgent = [stage for _, stage in self._deadlines(frozenset()) if stage != self.stage]
        for stage in [*urgent, self._following.get(self.stage, others[0]), *others]:
            if stage != self.stage and legal[stage]:
                return stage
        return urgent[0] if urgent else others[0]

    def state(self) -> tuple[object, ...]:
        """
        Return all that decides what the automaton can do from here on, as a hashable value.

        Two sequencers of one plan with equal states behave alike for ever; times are relative.
        """
        longest = _FAR if self.is_clearing else self._max_green[self.stage]
        return (
            *(self.stage, self.is_clearing, min(self._in_interval, longest), self._requested),
            self._change if self.is_clearing else None,
            *(self._omitted, self._preempted_for),
            self._preempted_until - self._now if self.is_preempted else None,
            self._is_starting_up,
            tuple(
                None if at is None else self._now - at if is_covered else -1
                for at, is_covered in zip(self._called_at, self._is_covered, strict=True)
            ),
        )

    @property
    def longest_wait_s(self) -> float:
        """The longest time that a called link some stage can serve has been waiting [s]."""
        waits = [
            self._now - at
            for at, is_covered in zip(self._called_at, self._is_covered, strict=True)
            if at is not None and is_covered
        ]
        return max(waits, default=0) * self.step_s

    def fork(self) -> Self:
        """Return a copy that goes its own way from here."""
        twin = copy(self)
        twin._called_at = self._called_at.copy()
        twin._last_green_at = self._last_green_at.copy()
        return twin
