"""The own plan of a junction that has neighbours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from small import crossing

from saferl_ros.control.controller import Moment
from saferl_ros.control.coordinated import CoordinatedPlan
from saferl_ros.observation import SignalView
from saferl_ros.shield.fallback import FixedTimeProgram


def moment(now_s: float, stage: int, legal: tuple[bool, ...]) -> Moment:
    signal = SignalView(
        stage=stage,
        green_elapsed_s=10.0,
        since_served_s=(0.0,) * len(legal),
        legal=legal,
        is_min_green_over=True,
    )
    return Moment(
        signal=signal, observe=lambda: np.zeros(0), lane_veh=lambda lane, halting: 0.0, now_s=now_s
    )


def test_the_stage_follows_the_shared_clock_and_the_offset() -> None:
    plan = crossing()
    free = (True,) * plan.n_stages
    for offset_s in (0.0, 7.0):
        shifted = replace(plan, offset_s=offset_s)
        program, controller = FixedTimeProgram(shifted), CoordinatedPlan(shifted)
        for second in range(int(2 * program.cycle_s)):
            decision = controller.decide(moment(second, 0, free))
            assert decision.stage == program.stage_at(second)
            assert decision.hold_s is not None
            assert 1 <= decision.hold_s <= 5
            last = second + decision.hold_s - 1  # it never sleeps through a change
            assert program.stage_at(last) == decision.stage


def test_a_stage_that_is_not_legal_yet_is_asked_for_a_second_later() -> None:
    plan = crossing()
    program = FixedTimeProgram(plan)
    second = next(s for s in range(200) if program.stage_at(s) == 1)
    legal = tuple(n == 0 for n in range(plan.n_stages))
    decision = CoordinatedPlan(plan).decide(moment(second, 0, legal))
    assert (decision.stage, decision.hold_s) == (0, 1.0)
