"""A junction's cabinet: the one loop from proposals and detectors to lamps."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
import operator

from saferl_ros.errors import SignalPlanError
from saferl_ros.shield.decision import ShieldDecision, ShieldReason
from saferl_ros.shield.detector_watch import DetectorWatch
from saferl_ros.shield.shield import Shield
from saferl_ros.signals import (
    card_of,
    ConflictMonitor,
    RequestVerdict,
    SignalPlan,
    StageSequencer,
)

FLASH_LAMP = 'o'  # SUMO's letter for a flashing yellow: every driver must give way


class CabinetMode(Enum):
    """Whether the junction signals."""

    RUNNING = 'running'
    FLASH = 'flash'  # the monitor found a fault; until ``Cabinet.reset``


@dataclass(frozen=True, slots=True, kw_only=True)
class CabinetTick:
    """What one tick showed."""

    lamps: str
    mode: CabinetMode
    decision: ShieldDecision | None  # where one was made


class Cabinet:
    """
    Sequencer, monitor, shield and detector watch of one junction, in step.

    Every tick: the shield is asked where a decision is due, the sequencer turns the answer into
    lamps, and the monitor reads them **before they show**. If it finds a fault, or anything in the
    loop fails, the junction flashes instead, at once and until somebody calls ``reset``; then
    everybody sees red for six seconds, the fixed-time program starts, and the policy speaks again
    only after ``Shield.rearm``.

    :param plan: the junction.
    :param shield: judges proposals; holds the fallback.
    :param step_s: length of a tick [s].
    :param decision_s: time between decisions while a stage is kept [s].
    :param watch: finds stuck detectors; without it presence is taken as it comes. Whatever is no
        presence of every movement tells nothing, and everybody counts as called.
    :raises SignalPlanError: if the shield is for another plan.
    """

    def __init__(
        self,
        plan: SignalPlan,
        shield: Shield,
        *,
        step_s: float = 1.0,
        decision_s: float = 5.0,
        watch: DetectorWatch | None = None,
    ) -> None:
        if shield.plan != plan:
            raise SignalPlanError(
                f"the shield is that of junction '{shield.plan.junction_id}' or of another plan "
                f"of it; junction '{plan.junction_id}' needs one made with the very plan it runs"
            )
        self.shield = shield
        self.watch = watch
        self.sequencer = StageSequencer(
            plan, step_s=step_s, initial_stage=shield.program.first_stage
        )
        self.monitor = ConflictMonitor(card_of(plan), step_s=step_s)
        self.mode = CabinetMode.RUNNING
        self.failure: Exception | None = None  # what stopped the loop, if anything did
        self._flash = FLASH_LAMP * plan.n_links
        self._decision_ticks = max(1, round(decision_s / step_s))
        self._kept_ticks = self._decision_ticks  # since the policy was last due and answered
        self._epoch = self.sequencer.red_bound_epoch

    @property
    def is_policy_due(self) -> bool:
        """
        Whether the policy is to be asked before the next tick.

        Under fallback it goes on falling due, every ``decision_s``, so that it can be watched.
        """
        return (
            self.mode is CabinetMode.RUNNING
            and not self.sequencer.is_preempted
            and self.sequencer.is_decision_due
            and self._kept_ticks >= self._decision_ticks
            and sum(self.sequencer.legal_stages()) > 1
        )

    def tick(self, now_s: float, clock_s: float, presence: Sequence[bool]) -> CabinetTick:
        """
        Advance one tick.

        :param now_s: a clock that does not jump [s]; proposals are aged by it.
        :param clock_s: the coordination clock of the fixed-time program [s].
        :param presence: whether somebody waits at each movement, shape ``(n_links,)``.
        :returns: the lamps to show during the tick. Never raises.
        """
        decision = None
        calls = self._calls(presence, now_s)  # detectors are watched while the junction flashes
        if self.mode is CabinetMode.RUNNING:
            try:
                decision, lamps = self._run(now_s, clock_s, calls)
                if not self.monitor.is_latched:
                    return CabinetTick(lamps=lamps, mode=self.mode, decision=decision)
            except Exception as error:  # noqa: BLE001 - whatever fails, the street stays safe
                self.failure = error
            self.mode = CabinetMode.FLASH
            self.shield.latch(ShieldReason.MONITOR)
        return CabinetTick(lamps=self._flash, mode=self.mode, decision=decision)

    def _calls(self, presence: Sequence[bool], now_s: float) -> tuple[bool, ...]:
        n_links = len(self._flash)
        try:
            there = tuple(map(bool, islice(presence, n_links + 1)))
            if self.watch is not None:
                there = self.watch.update(there, now_s)
        except Exception:  # noqa: BLE001 - a broken detector is no reason to flash
            there = ()
        return there if len(there) == n_links else (True,) * n_links

    def _run(
        self, now_s: float, clock_s: float, calls: tuple[bool, ...]
    ) -> tuple[ShieldDecision | None, str]:
        sequencer, decision, before = self.sequencer, None, self.sequencer.stage
        if sequencer.is_decision_due and not sequencer.is_preempted:
            is_due = self.is_policy_due
            decision = self.shield.decide(
                now_s, clock_s, stage=before, legal=sequencer.legal_stages(), is_due=is_due
            )
            if decision.applied_stage != before:
                sequencer.request(decision.applied_stage)
            if is_due and not self.shield.is_waiting:
                self._kept_ticks = 0
        else:
            self.shield.withdraw(now_s)
        self._kept_ticks += 1
        lamps = sequencer.step(calls)
        if sequencer.is_clearing or sequencer.stage != before:
            self._kept_ticks = self._decision_ticks  # the new stage is asked about when it may end
        self._tell_monitor(lamps, calls)
        return decision, lamps

    def _tell_monitor(self, lamps: str, calls: Sequence[bool]) -> None:
        sequencer = self.sequencer
        if sequencer.red_bound_epoch != self._epoch:
            self._epoch = sequencer.red_bound_epoch
            self.monitor.restart_red(sequencer.max_red_s)
        if sequencer.omitted_stages:  # nobody is promised a green that no stage in service gives
            calls = tuple(map(operator.and_, calls, sequencer.served_links))
        self.monitor.step(lamps, calls, is_held=sequencer.is_held)

    def preempt(self, stage: object, timeout_s: float) -> RequestVerdict:
        """Give the junction to an emergency vehicle; see ``StageSequencer.preempt``."""
        return self.sequencer.preempt(stage, timeout_s)

    def end_preemption(self) -> None:
        """Take the junction back from an emergency vehicle."""
        self.sequencer.end_preemption()

    def omit(self, stages: Collection[int]) -> RequestVerdict:
        """Take stages out of service; see ``StageSequencer.omit``."""
        return self.sequencer.omit(stages)

    def reset(self) -> None:
        """
        Leave flash: red for everybody, then the fixed-time program, which stays until re-armed.

        For an operator at the cabinet; while the junction runs, nothing happens. An emergency
        vehicle's preemption ends with it; stages that are taken out of service stay out.
        """
        if self.mode is CabinetMode.FLASH:
            if not self.shield.is_latched:  # re-armed while it flashed
                self.shield.latch(ShieldReason.MONITOR)
            self.monitor.reset()
            self.failure = None
            self.sequencer.restart(self.shield.program.first_stage)
            self._epoch = self.sequencer.red_bound_epoch
            self.monitor.restart_red(self.sequencer.max_red_s)
            self.mode = CabinetMode.RUNNING
