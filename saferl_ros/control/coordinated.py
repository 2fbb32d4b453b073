"""A junction's own plan in step with its neighbours."""

from __future__ import annotations

from saferl_ros.control.controller import Decision, Moment
from saferl_ros.shield.fallback import FixedTimeProgram
from saferl_ros.signals import SignalPlan


class CoordinatedPlan:
    """
    Follows the plan's program by the clock that all signals share.

    Where several junctions are controlled, their offsets count: which stage is wanted follows from
    simulated time, as it does in the fallback of a cabinet.

    :param plan: the junction's plan with its program.
    :param hold_s: longest time between two decisions [s].
    """

    def __init__(self, plan: SignalPlan, hold_s: float = 5.0) -> None:
        self._program = FixedTimeProgram(plan)
        self._hold_s = hold_s

    def decide(self, moment: Moment) -> Decision:
        """Show what the program wants, and look again when it wants something else."""
        wanted, signal = self._program.stage_at(moment.now_s), moment.signal
        if not signal.legal[wanted]:
            return Decision(stage=signal.stage, hold_s=1.0)
        hold_s = 1.0
        while hold_s < self._hold_s and self._program.stage_at(moment.now_s + hold_s) == wanted:
            hold_s += 1.0
        return Decision(stage=wanted, hold_s=hold_s)
