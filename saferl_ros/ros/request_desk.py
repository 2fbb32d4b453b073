"""Where requests for one junction arrive: who speaks, and about which state?"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from saferl_ros.shield import Proposal, Shield, ShieldReason

_REMEMBERED = 64  # states whose time is known; an answer to an older one is stale in any case
_NEVER_S = 1e12  # further from now than any age that is accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it came, not trusted in any way."""

    junction_id: str
    source: str
    run_id: str
    state_sequence: int
    sequence: int
    stage: int
    scores: tuple[float, ...]  # (n_stages,), or empty: then the stage is meant
    is_out_of_distribution: bool


class RemoteAlarm:
    """What a policy's guard in another process says of the traffic."""

    def __init__(self) -> None:
        self.is_alarmed = False


class RequestDesk:
    """
    Hands requests to the shield with an age that only this side's clock decides.

    A request names the state it answers; its age is the time since that state was published, so no
    clock of another machine is trusted. The first source that speaks is the one in charge. Another
    one speaking means that two programs steer one junction: the fallback is latched.

    :param shield: of the junction; latched here when two sources speak.
    :param alarm: the shield's alarm, set from the requests that are good.
    :param run_id: of this run; an answer to another run's state is stale.
    """

    def __init__(self, shield: Shield, alarm: RemoteAlarm, run_id: str) -> None:
        self.source = ''  # who is in charge; empty until somebody speaks
        self.answered = 0  # sequence of the newest state that got an answer, good or not
        self._shield = shield
        self._alarm = alarm
        self._run_id = run_id
        self._published: OrderedDict[int, float] = OrderedDict()

    def publish(self, sequence: int, now_s: float) -> None:
        """Take note of when a state was published."""
        self._published[sequence] = now_s
        if len(self._published) > _REMEMBERED:
            self._published.popitem(last=False)

    def receive(self, request: Request, now_s: float) -> ShieldReason:
        """
        Judge a request.

        :param now_s: the shield's clock [s].
        :returns: ``POLICY`` if it waits for the next decision, else why it was refused.
        """
        if self.source and request.source != self.source:
            if not self._shield.is_latched:
                self._shield.latch(ShieldReason.RIVAL)
            return ShieldReason.RIVAL
        reason = self._shield.receive(
            Proposal(
                junction_id=request.junction_id,
                sequence=request.sequence,
                stamp_s=self._stamp_s(request),
                stage=None if request.scores else request.stage,
                scores=request.scores or None,
            ),
            now_s,
        )
        if request.run_id == self._run_id:
            self.answered = max(self.answered, request.state_sequence)
        if reason is ShieldReason.POLICY:
            self.source = request.source
            self._alarm.is_alarmed = request.is_out_of_distribution
        return reason

    def _stamp_s(self, request: Request) -> float:
        """When the answered state was published; long ago if it is unknown or another run's."""
        known = self._published
        if request.run_id == self._run_id and known:
            if request.state_sequence > next(reversed(known)):
                return _NEVER_S  # a state that was never published
            return known.get(request.state_sequence, -_NEVER_S)
        return -_NEVER_S

    def rearm(self) -> None:
        """Forget who was in charge: the next one who speaks is."""
        self.source = ''
        self._alarm.is_alarmed = False
