"""The fixed-time program that the junction falls back to, in step with its coordination clock."""

from __future__ import annotations

import math

from saferl_ros.shield.clock import read_clock
from saferl_ros.signals import ProgramInterval, SignalPlan


class FixedTimeProgram:
    """
    A junction's own program as a function of time.

    Neighbouring junctions run on the same master clock, so a program that is taken up again after
    hours still fits theirs: which stage is wanted follows from the clock alone. A junction that is
    late gets back into step by cutting greens down to their minimum; where the program has no
    longer ones, it stays as late as it is.

    :param plan: the junction; without a program of its own every stage gets its minimum green.
    """

    def __init__(self, plan: SignalPlan) -> None:
        parts = plan.program or tuple(
            ProgramInterval(stage_index=n, green_s=stage.min_green_s)
            for n, stage in enumerate(plan.stages)
        )
        self._offset_s = plan.offset_s
        self._ends: list[tuple[float, int]] = []  # (until when it is wanted [s], stage)
        end_s = 0.0
        for n, part in enumerate(parts):
            following = parts[(n + 1) % len(parts)].stage_index
            end_s += max(part.green_s, plan.stages[part.stage_index].min_green_s)
            self._ends.append((end_s, part.stage_index))
            end_s += plan.intergreen_s(part.stage_index, following)  # belongs to the next stage
        self.cycle_s = end_s

    @property
    def first_stage(self) -> int:
        """The stage with which a cycle begins."""
        return self._ends[0][1]

    def stage_at(self, clock_s: float) -> int:
        """
        Return the stage that the program wants at a time of the master clock.

        :param clock_s: coordination clock [s]; where it is no number, the first stage is wanted.
        """
        position_s = (read_clock(clock_s) - self._offset_s) % self.cycle_s
        if math.isnan(position_s):
            return self.first_stage
        for end_s, stage in self._ends:
            if position_s < end_s - 1e-9:
                return stage
        return self.first_stage
