"""A learned policy as a controller."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from saferl_ros.control.controller import Decision, Moment


class StageScorer(Protocol):
    """Anything that scores stages: a loaded bundle, or a network in training."""

    def scores(self, observation: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return one score per stage, higher is better, shape ``(n_stages,)``."""


class Bundled:
    """
    Shows the legal stage with the highest score.

    :param scorer: the policy.
    """

    def __init__(self, scorer: StageScorer) -> None:
        self._scorer = scorer

    def decide(self, moment: Moment) -> Decision:
        """Return the best-scored legal stage."""
        scores = self._scorer.scores(moment.observe())
        legal = np.array(moment.signal.legal)
        return Decision(stage=int(np.argmax(np.where(legal, scores, -np.inf))))
