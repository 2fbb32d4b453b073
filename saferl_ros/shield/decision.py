"""What a policy proposes, and what the shield answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """
    One proposal of a policy: a stage, or a score for every stage.

    Nothing of it is trusted; whatever it holds, the shield answers.
    """

    junction_id: str
    sequence: int  # counts up with every proposal of a policy
    stamp_s: float  # when it was made, on the clock that the shield is asked with
    stage: int | None = None
    scores: Sequence[float] | None = None  # (n_stages,) higher is better


class ShieldReason(Enum):
    """Why the shield answered as it did."""

    POLICY = 'policy'  # the proposal stands
    HOLD = 'hold'  # no proposal yet, the running stage stays for now
    MALFORMED = 'malformed'  # not a proposal, or one without stage and scores
    WRONG_SHAPE = 'wrong shape'  # not one score per stage
    NOT_FINITE = 'not finite'  # NaN or infinity
    OUT_OF_RANGE = 'out of range'  # no such stage
    UNKNOWN_JUNCTION = 'unknown junction'
    STALE = 'stale'  # made too long ago
    FROM_THE_FUTURE = 'from the future'  # made later than now
    DUPLICATE = 'duplicate'  # its number is not above the last one
    FLOOD = 'flood'  # more proposals than any policy needs
    RIVAL = 'rival'  # two programs steer one junction
    MASKED = 'masked'  # the stage is not legal now
    SILENT = 'silent'  # no good proposal in time
    OUT_OF_DISTRIBUTION = 'out of distribution'  # traffic unlike the recorded one
    CLOCK = 'clock'  # time stood still, went back or is no number
    MONITOR = 'monitor'  # the conflict monitor found a fault
    OPERATOR = 'operator'  # somebody asked for the fixed-time program


@dataclass(frozen=True, slots=True, kw_only=True)
class ShieldDecision:
    """The stage to ask the sequencer for, who chose it, and why."""

    applied_stage: int
    reason: ShieldReason
    is_fallback: bool  # the fixed-time program chose
