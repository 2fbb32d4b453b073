"""Several trainings that decide together: one network can be wrong where the others are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from saferl_ros.train.config import FqeConfig, TrainConfig
from saferl_ros.train.learner import train_algorithm, Training
from saferl_ros.train.lesson import Lesson

_SEEDS_APART = 100_000


def n_members(config: TrainConfig, name: str) -> int:
    """Return how many networks decide together."""
    return 1 if name == 'bc' else config.cql.ensemble


def train_ensemble(
    lesson: Lesson,
    name: str,
    config: TrainConfig,
    seed: int,
    log_dir: Path,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Training:
    """
    Train the members one after the other; the mean of their values decides.

    The members differ in their seeds: in their first weights and in the batches they see. The
    first one's log is in ``log_dir``, the others' in ``log_dir/member_<n>``; off-policy evaluation
    looks at the first.

    :param progress: called with (steps done, steps in all) over all members.
    """
    total = n_members(config, name)
    quiet = config.model_copy(update={'fqe': FqeConfig(steps=0)})
    members: list[Training] = []
    for n in range(total):

        def note(done: int, steps: int, before: int = n) -> None:
            progress(before * steps + done, total * steps)

        members.append(
            train_algorithm(
                lesson,
                name,
                quiet if n else config,
                seed + n * _SEEDS_APART,
                log_dir / f'member_{n + 1}' if n else log_dir,
                progress=note,
            )
        )
    training = members[0]
    training.others = [member.algorithm for member in members[1:]]
    return training
