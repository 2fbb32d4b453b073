"""What a shadow policy would save or cost, guessed from the record of the incumbent alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from saferl_ros.bag.to_record import record_from_bag
from saferl_ros.bundle.load import Bundle
from saferl_ros.dataset.schema import Episode, Record
from saferl_ros.errors import DatasetError
from saferl_ros.train.fqe import ChosenTransitions, discounted_cost, N_STEPS

GAMMA = 0.97  # per decision interval
N_REFITS = 6
STUDENT_T = 2.571  # 97.5 % quantile of Student's t with N_REFITS - 1 degrees of freedom
SEGMENT_S = 300.0  # some cycles: decisions within one hang together
MIN_SEGMENTS = 4
SEED = 1
_S_PER_H = 3600.0

Stages = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowValue:
    """
    The estimate by fitted Q evaluation (FQE), and what it rests on.

    Costs are discounted standing time on the detectors, in vehicle-hours, averaged over the
    decisions of the record. The difference is relative to the incumbent: below zero is less.
    """

    junction_id: str
    algorithm: str
    bundle_sha256: str  # of the bundle's contents, as PolicyStatus tells it
    incumbent_veh_h: float
    policy_veh_h: float
    difference: float
    difference_low: float  # 95 % interval over the refits
    difference_high: float
    n_refits: int
    n_decisions: int
    n_segments: int
    segment_s: float
    gamma: float
    horizon_s: float  # mean time that the discount looks ahead
    differs_share: float  # decisions at which the policy chose otherwise
    never_seen_share: float  # decisions at which its change from stage to stage was never recorded


def estimate_shadow_value(
    path: Path,
    bundle: Bundle,
    *,
    n_refits: int = N_REFITS,
    n_steps: int = N_STEPS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ShadowValue:
    """
    Return how much the policy of ``bundle`` would change the standing time in a recorded bag.

    Both the policy and the incumbent go through the same estimator, so that both carry its bias.
    Each refit draws segments of the record with replacement, and begins with another network.

    :param n_refits: as many as ``STUDENT_T`` is for, fewer only for tests.
    :param progress: called with (steps done, steps in all).
    :raises BagError: if the bag does not hold the junction or no decision of it.
    :raises BundleError: if the bundle is for another plan or observation than was recorded.
    :raises DatasetError: if the record is too short.
    :raises MissingExtraError: if d3rlpy is not installed.
    """
    decision_s = bundle.manifest.decision_s
    record = record_from_bag(path, junction_id=bundle.manifest.junction_id, decision_s=decision_s)
    bundle.require(record.plan, record.spec)
    episodes = [e for e in record.episodes if len(e) > 1]  # the last action of each has no next
    if not episodes:
        raise DatasetError('the record holds no two decisions in a row; record longer')
    chosen = [policy_choices(bundle, episode) for episode in episodes]
    segments = _segments(episodes)
    n_segments = int(segments[-1]) + 1
    if n_segments < MIN_SEGMENTS:
        raise DatasetError(
            f'the record holds {n_segments} segments of {SEGMENT_S:g} s without a gap, and an '
            f'interval needs at least {MIN_SEGMENTS}; record longer'
        )
    data = _transitions(record, episodes, decision_s)
    now = np.concatenate([c[:-2] for c in chosen]), data.actions
    then = (
        np.concatenate([c[1:-1] for c in chosen]),
        np.concatenate([e.applied_stage[1:] for e in episodes]),
    )
    costs = np.zeros((n_refits, 2))
    n_done = 0

    def one_step(_: int) -> None:
        nonlocal n_done
        n_done += 1
        progress(n_done, n_refits * 2 * n_steps)

    for n in range(n_refits):
        rng = np.random.default_rng([SEED, n])
        drawn = np.bincount(rng.integers(0, n_segments, n_segments), minlength=n_segments)
        for who in (0, 1):
            costs[n, who] = discounted_cost(
                data, now[who], then[who], drawn[segments],
                gamma=GAMMA, seed=SEED + n, n_steps=n_steps, progress=one_step,
            )  # fmt: skip
    differences = costs[:, 0] / np.maximum(costs[:, 1], 1e-9) - 1.0
    half = STUDENT_T * float(differences.std(ddof=1))
    difference = float(differences.mean())
    stages = np.concatenate([e.stage[:-2] for e in episodes])
    return ShadowValue(
        junction_id=bundle.manifest.junction_id,
        algorithm=bundle.manifest.algorithm,
        bundle_sha256=bundle.manifest.contents,
        incumbent_veh_h=float(costs[:, 1].mean()),
        policy_veh_h=float(costs[:, 0].mean()),
        difference=difference,
        difference_low=difference - half,
        difference_high=difference + half,
        n_refits=n_refits,
        n_decisions=len(data.actions),
        n_segments=n_segments,
        segment_s=SEGMENT_S,
        gamma=GAMMA,
        horizon_s=decision_s / (1 - GAMMA),
        differs_share=float(np.mean(now[0] != data.actions)),
        never_seen_share=never_seen_share(stages, now[0], data.actions),
    )


def policy_choices(bundle: Bundle, episode: Episode) -> Stages:
    """Return the policy's best legal stage at each observation of an episode, ``(T + 1,)``."""
    return np.array(
        [
            bundle.decide(observation, legal)
            for observation, legal in zip(episode.observations, episode.legal, strict=True)
        ],
        dtype=np.int64,
    )


def never_seen_share(stages: Stages, choices: Stages, actions: Stages) -> float:
    """
    Return the share of choices that no recorded decision made in the same stage.

    :param stages: which stage showed, shape ``(N,)``.
    :param choices: what the policy wants, shape ``(N,)``.
    :param actions: what the incumbent turned to, shape ``(N,)``.
    """
    seen = set(zip(stages.tolist(), actions.tolist(), strict=True))
    wanted = zip(stages.tolist(), choices.tolist(), strict=True)
    return float(np.mean([pair not in seen for pair in wanted]))


def _transitions(
    record: Record, episodes: Sequence[Episode], decision_s: float
) -> ChosenTransitions:
    elapsed_s = np.concatenate([e.elapsed_s[:-1] for e in episodes]).astype(np.float64)
    return ChosenTransitions(
        observations=np.concatenate([e.observations[:-2] for e in episodes]),
        actions=np.concatenate([e.applied_stage[:-1] for e in episodes]),
        costs=-np.concatenate([e.reward[:-1] for e in episodes]).astype(np.float64) / _S_PER_H,
        next_observations=np.concatenate([e.observations[1:-1] for e in episodes]),
        intervals=elapsed_s / decision_s,
        n_stages=record.plan.n_stages,
    )


def _segments(episodes: Sequence[Episode]) -> Stages:
    """Return the number of the segment that each transition belongs to, counting up from 0."""
    numbers: list[Stages] = []
    first = 0
    for episode in episodes:
        begins_s = np.concatenate([[0.0], np.cumsum(episode.elapsed_s[:-2])])
        own = (begins_s // SEGMENT_S).astype(np.int64)
        numbers.append(np.unique(own, return_inverse=True)[1].astype(np.int64) + first)
        first = int(numbers[-1][-1]) + 1
    return np.concatenate(numbers)
