"""When a policy beside a controller is asked: at the pace at which it learned."""

from __future__ import annotations

from collections.abc import Sequence


class Cadence:
    """
    Due when the minimum green is over and there is a choice, then every ``decision_s``.

    Whoever sees the same states comes to the same answer, so a bridge in lock-step knows which
    states a shadow policy will answer.

    :param decision_s: time between decisions while a stage is kept [s].
    """

    def __init__(self, decision_s: float) -> None:
        self._decision_s = decision_s
        self._asked_at_s: float | None = None  # within the running green
        self._stage: int | None = None

    def is_due(
        self, now_s: float, stage: int, legal: Sequence[bool], *, is_clearing: bool
    ) -> bool:
        """
        Return whether a decision is due; call it once a state.

        :param now_s: the junction's time [s].
        :param stage: the stage that shows.
        :param legal: which stages may be requested, shape ``(n_stages,)``.
        :param is_clearing: whether the stage is still being cleared for.
        """
        if is_clearing or stage != self._stage:
            self._asked_at_s, self._stage = None, stage
        if is_clearing or sum(legal) < 2:
            return False
        asked_at_s = self._asked_at_s
        is_due = asked_at_s is None or now_s >= asked_at_s + self._decision_s - 1e-6
        if is_due:
            self._asked_at_s = now_s
        return is_due
