"""
Families of safe fixed-time plans, drawn cycle by cycle.

Every stage is served in every cycle, no plan looks at traffic, and every green, order and
probability follows from stated ranges. They are the behaviour that policies learn from:

``net``
    the network's own plan, green by green;
``library``
    one plan for the whole episode, its greens drawn once;
``splits``
    the own order, the greens drawn anew each cycle;
``leadlag``
    the own greens shifted by a few seconds, and each protected left leads or lags its main
    movement at random (where there is no such pair, two neighbouring stages swap);
``order``
    any order of the stages each cycle.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import get_args, Literal

import numpy as np
from pydantic import BaseModel, Field, field_validator, model_validator

from saferl_ros.control.controller import Decision, Moment
from saferl_ros.env.junction import DECISION_S
from saferl_ros.naming import edge_of
from saferl_ros.signals import SignalPlan
from saferl_ros.signals.plan import GREEN_LAMPS
from saferl_ros.yaml_file import CONFIG

Plans = Literal['net', 'library', 'splits', 'leadlag', 'order']
PLAN_FAMILIES: tuple[Plans, ...] = get_args(Plans)
CONSTANT: tuple[Plans, ...] = ('net', 'library')  # every cycle is like the first
Shifts = dict[float, float]  # shift of a green [s] to its probability

_MAIN_SHIFTS: Shifts = {-10: 0.1, -5: 0.2, 0: 0.4, 5: 0.2, 10: 0.1}
_MINOR_SHIFTS: Shifts = {0: 1.0}


class FamilyConfig(BaseModel):
    """Ranges of a family; probabilities of a set of shifts must add up to one."""

    model_config = CONFIG

    plans: Plans = 'leadlag'
    """As saferl record --plans."""
    green_scale: float = Field(default=1.2, gt=0, le=3)
    """
    Own greens times this, because complete clearances make the cycle longer; not for the plan
    'net'.
    """
    swap_probability: float = Field(default=0.5, ge=0, le=1)
    """How often a left lags instead of leading."""
    main_shift_s: Shifts = _MAIN_SHIFTS
    """For greens of 15 s and more: shift [s] to its probability; they add up to 1."""
    minor_shift_s: Shifts = _MINOR_SHIFTS
    """The same for shorter greens."""
    vary_share: float = Field(default=1.0, gt=0, le=1)
    """
    Of the cycles; the others keep the scaled greens in their own order, for records that
    deviate rarely.
    """
    grid_s: float = Field(default=5.0, gt=0)
    """Greens are minimum green plus multiples of this [s]."""

    @field_validator('main_shift_s', 'minor_shift_s')
    @classmethod
    def _adds_up(cls, value: Shifts) -> Shifts:
        if abs(sum(value.values()) - 1) > 1e-6 or min(value.values()) < 0:
            raise ValueError(f'probabilities must be positive and add up to 1, not {value}')
        return value

    @model_validator(mode='after')
    def _varies(self) -> FamilyConfig:
        if self.vary_share < 1 and self.plans in CONSTANT:
            raise ValueError(
                f"vary_share {self.vary_share:g} is not for plans '{self.plans}', whose cycles "
                'are all alike; leave it out'
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One stage of the cycle and the greens it may get."""

    stage: int
    greens: tuple[tuple[float, float], ...]  # (green [s], probability), ascending
    usual_s: float  # the green of a cycle that does not vary


MAIN_GREEN_S = 15.0  # own greens from here on count as main movements


def make_slots(plan: SignalPlan, config: FamilyConfig) -> list[list[Slot]]:
    """
    Return the cycle as groups of slots; the slots of a group may change places.

    :param plan: the junction's plan with its own program.
    :param config: ranges.
    """
    slots = []
    for part in plan.program:
        stage = plan.stages[part.stage_index]
        if config.plans == 'net':
            usual_s = part.green_s
            greens: tuple[tuple[float, float], ...] = ((part.green_s, 1.0),)
        else:
            shifts = config.main_shift_s if part.green_s >= MAIN_GREEN_S else config.minor_shift_s
            base = _on_grid(part.green_s * config.green_scale, stage.min_green_s, config.grid_s)
            found: dict[float, float] = {}
            for shift, probability in shifts.items():
                shifted = _on_grid(base + shift, stage.min_green_s, config.grid_s)
                green_s = min(shifted, stage.max_green_s)
                found[green_s] = found.get(green_s, 0.0) + probability
            greens = tuple(sorted(found.items()))
            usual_s = min(base, stage.max_green_s)
        slots.append(Slot(stage=part.stage_index, greens=greens, usual_s=usual_s))
    if config.plans == 'order':
        return [slots]
    if config.plans != 'leadlag' or len(slots) < 3:
        return [[slot] for slot in slots]
    return _pairs(plan, slots)


def _on_grid(green_s: float, min_green_s: float, grid_s: float) -> float:
    return min_green_s + grid_s * max(0, round((green_s - min_green_s) / grid_s))


def _pairs(plan: SignalPlan, slots: list[Slot]) -> list[list[Slot]]:
    """Pair each left with its main movement if neighbours share an approach, else neighbours."""
    edges = [
        {
            edge_of(lane)
            for link, lamp in zip(plan.links, plan.stages[slot.stage].lamps, strict=True)
            if lamp in GREEN_LAMPS
            for lane in {link.from_lane, *(lane for lane, _ in link.ways)}
        }
        for slot in slots
    ]
    shares = [bool(a & b) for a, b in pairwise(edges)]
    groups, n = [], 0
    while n < len(slots):
        can_pair = n + 1 < len(slots) and (shares[n] or not any(shares))
        groups.append(slots[n : n + 2] if can_pair else slots[n : n + 1])
        n += len(groups[-1])
    return groups


class FixedTimeFamily:
    """
    A fixed-time controller whose plan is drawn anew every cycle.

    Whether a cycle varies is its secret: the stated probability of a choice follows from what was
    seen of the cycle so far (Bayes), as it does for who learns from the record.

    :param plan: the junction's plan.
    :param config: which family and which ranges.
    :param rng: the source of its draws.
    """

    def __init__(self, plan: SignalPlan, config: FamilyConfig, rng: np.random.Generator) -> None:
        self._config = config
        self._rng = rng
        self._groups = make_slots(plan, config)
        self._is_constant = config.plans in CONSTANT
        self._constant: list[tuple[Slot, float]] = []
        self._usual = [slot for group in self._groups for slot in group]
        self._belief = config.vary_share  # that the running cycle varies
        self._cycle = self._draw_cycle(None)
        self._position = 0
        self._kept_s = -1.0  # green at the last decision that kept the running stage

    def _draw_cycle(self, last_stage: int | None) -> list[tuple[Slot, float]]:
        """Return the next cycle's slots in order, each with its green [s]."""
        if self._constant:
            return self._constant
        self._belief = share = self._config.vary_share
        if share < 1 and self._rng.random() >= share:
            return [(slot, slot.usual_s) for slot in self._usual]
        order: list[Slot] = []
        for group in self._groups:
            group = list(group)
            if self._config.plans == 'order':
                indices = self._rng.permutation(len(group))
                while len(group) > 1 and group[indices[0]].stage == last_stage:
                    indices = self._rng.permutation(len(group))
                group = [group[i] for i in indices]
            elif len(group) == 2 and self._rng.random() < self._config.swap_probability:
                group.reverse()
            order += group
        cycle = [(slot, self._draw_green(slot)) for slot in order]
        if self._is_constant:
            self._constant = cycle
        return cycle

    def _draw_green(self, slot: Slot) -> float:
        greens, probabilities = zip(*slot.greens, strict=True)
        return float(self._rng.choice(greens, p=np.array(probabilities) / sum(probabilities)))

    def decide(self, moment: Moment) -> Decision:
        """Keep the stage until its drawn green is over, then show the next of the cycle."""
        slot, green_s = self._cycle[self._position]
        signal = moment.signal
        if signal.stage != slot.stage:
            self._resume(signal.stage)
            self._kept_s = -1.0
            slot, green_s = self._cycle[self._position]
        elapsed_s = signal.green_elapsed_s
        ending = self._ending_probability(slot, elapsed_s)
        if elapsed_s < green_s - 1e-6:
            hold_s = min(DECISION_S, green_s - elapsed_s)
            keeps_usually = float(elapsed_s < slot.usual_s - 1e-6)
            self._kept_s = elapsed_s
            return Decision(
                stage=slot.stage, hold_s=hold_s, probability=self._see(1 - ending, keeps_usually)
            )
        ends_usually = float(self._ends_now(slot.usual_s, elapsed_s))
        ended = max(self._see(ending, ends_usually), 1e-6)
        self._kept_s = -1.0
        choice = self._advance(slot.stage)
        return Decision(stage=self._cycle[self._position][0].stage, probability=ended * choice)

    def _see(self, varying: float, usual: float) -> float:
        """
        Return the probability of what was chosen, and learn from it whether the cycle varies.

        :param varying: its probability in a cycle that varies.
        :param usual: in one that does not.
        """
        if self._belief >= 1:
            return varying
        probability = self._belief * varying + (1 - self._belief) * usual
        if probability > 0:
            self._belief *= varying / probability
        return probability

    def _ending_probability(self, slot: Slot, elapsed_s: float) -> float:
        """Probability that a green ends now, given that it has lasted until now."""
        if self._is_constant:
            return 0.0 if elapsed_s < self._cycle[self._position][1] - 1e-6 else 1.0
        alive = sum(p for green_s, p in slot.greens if green_s > self._kept_s + 1e-6)
        ends = sum(p for green_s, p in slot.greens if self._ends_now(green_s, elapsed_s))
        return ends / alive if alive > 0 else 1.0

    def _ends_now(self, green_s: float, elapsed_s: float) -> bool:
        """
        Whether a green of this length ends at this decision and has not ended at the one before.

        It ends with the first simulation step that completes it, which may be a little later.
        """
        return self._kept_s + 1e-6 < green_s <= elapsed_s + 1e-6

    def _advance(self, last_stage: int) -> float:
        """Go to the next slot; return the probability of this choice among the possible ones."""
        self._position += 1
        is_over = self._position == len(self._cycle)
        if is_over:
            self._cycle = self._draw_cycle(last_stage)
            self._position = 0
        varying = self._choice_probability(self._position, last_stage if is_over else None)
        is_usual = self._cycle[self._position][0].stage == self._usual[self._position].stage
        return self._see(varying, float(is_usual))

    def _choice_probability(self, position: int, last_stage: int | None) -> float:
        if self._is_constant:
            return 1.0
        start = 0
        for group in self._groups:
            if position < start + len(group):
                break
            start += len(group)
        if len(group) == 1:
            return 1.0
        if self._config.plans == 'order':
            candidates = len(group) - position
            if position == 0 and any(slot.stage == last_stage for slot in group):
                candidates -= 1
            return 1.0 / max(1, candidates)
        if position > start:
            return 1.0
        is_swapped = self._cycle[start][0].stage != group[0].stage
        swap = self._config.swap_probability
        return swap if is_swapped else 1 - swap

    def _resume(self, stage: int) -> None:
        """Find the running stage in the cycle, after a bound or an initial stage moved it."""
        for n, (slot, _) in enumerate(self._cycle):
            if slot.stage == stage:
                self._position = n
                return
