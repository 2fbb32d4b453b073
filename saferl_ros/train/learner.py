"""One training: batches in, a trained d3rlpy algorithm and its log out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from saferl_ros.train.algorithm import scorer_module
from saferl_ros.train.averaging import WeightAverage
from saferl_ros.train.config import FqeConfig, TrainConfig
from saferl_ros.train.fqe import ChosenTransitions, discounted_cost
from saferl_ros.train.lesson import Lesson
from saferl_ros.train.library import load_d3rlpy, load_torch
from saferl_ros.train.masked_q import is_open
from saferl_ros.train.replay import batches, Transitions

Choices = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
CHUNK = 500  # steps between log rows and checkpoints


@dataclass(slots=True)
class Training:
    """A finished training."""

    name: str
    seed: int
    algorithm: Any
    scale: float  # reward scale
    n_transitions: int
    behaviour_value: float | None = None  # of the recorded plans, by the same estimate
    log: list[dict[str, float]] = field(default_factory=list)

    @property
    def fqe_value(self) -> float | None:
        """The last value that fitted Q evaluation gave, if it was asked."""
        values = [row['fqe_value'] for row in self.log if 'fqe_value' in row]
        return values[-1] if values else None


def train_algorithm(
    lesson: Lesson,
    name: str,
    config: TrainConfig,
    seed: int,
    log_dir: Path,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Training:
    """
    Train one algorithm.

    A row goes to ``<log_dir>/training.csv`` and to TensorBoard every 500 steps; a checkpoint
    beside them lets an interrupted training go on where it stopped.

    :param lesson: from ``train.lesson``, made for the same name and configuration.
    :param name: ``cql``, ``bc`` or ``dqn``.
    :param progress: called with (steps done, steps in all).
    """
    data, held_out = lesson.data, lesson.held_out
    part = config.bc if name == 'bc' else config.cql
    load_d3rlpy().seed(seed)
    algorithm = lesson.create()
    training = Training(name, seed, algorithm, lesson.scale, len(data))
    log_dir.mkdir(parents=True, exist_ok=True)
    checkpoint = log_dir / 'checkpoint.pt'
    average = (
        WeightAverage(algorithm.impl.q_function, config.cql.averaging)
        if name != 'bc' and config.cql.averaging
        else None
    )
    done = _resume(algorithm, average, checkpoint, training.log, log_dir)
    writer = _summary_writer(log_dir)
    fqe_at = {round(part.steps * (n + 1) / config.fqe.times) for n in range(config.fqe.times)}
    progress(done, part.steps)
    while done < part.steps:
        n = min(CHUNK, part.steps - done)
        rng = np.random.default_rng([seed, done])
        losses: dict[str, list[float]] = {}
        for batch in batches(data, part.batch_size, n, rng):
            for key, value in algorithm.update(batch).items():
                losses.setdefault(key, []).append(value)
            if average is not None:
                average.update()
        previous, done = done, done + n
        row = {'step': float(done), **{key: float(np.mean(v)) for key, v in losses.items()}}
        if held_out is not None:
            is_asked = config.fqe.steps > 0 and any(previous < step <= done for step in fqe_at)
            with nullcontext() if average is None else average.applied():  # what would ship
                row |= _foretold(algorithm, lesson, name, config)
                if is_asked:
                    choices = choices_of(algorithm, held_out, config, lesson.legal_columns)
                    row['fqe_value'] = fqe_value(choices, held_out, config.fqe, lesson.n_stages)
        training.log.append(row)
        _write_log(training.log, log_dir / 'training.csv')
        for key, value in row.items():
            writer.add_scalar(key, value, int(done))
        _save_checkpoint(algorithm, average, checkpoint, done)
        progress(done, part.steps)
    writer.close()
    if average is not None:
        average.apply()
    if held_out is not None and config.fqe.steps:
        recorded = held_out.actions, held_out.next_actions
        training.behaviour_value = fqe_value(recorded, held_out, config.fqe, lesson.n_stages)
    return training


def _foretold(algorithm: Any, lesson: Lesson, name: str, config: TrainConfig) -> dict[str, float]:
    """Return how well held-out episodes are foretold, if there are any."""
    data = lesson.held_out_own if name == 'bc' else lesson.held_out
    if data is None:
        return {}
    if name == 'bc':
        guessed = algorithm.predict(data.observations)
        return {'held_out_accuracy': float(np.mean(guessed == data.actions))}
    return {'held_out_td_error': td_error(algorithm, data, config.cql.gamma)}


def td_error(algorithm: Any, data: Transitions, gamma: float) -> float:
    """Return the mean absolute temporal-difference error on ``data`` (Double-DQN target)."""
    index = np.linspace(0, len(data) - 1, min(len(data), 4096)).astype(int)
    best = algorithm.predict(data.next_observations[index])
    following = algorithm.predict_value(data.next_observations[index], best)
    now = algorithm.predict_value(data.observations[index], data.actions[index])
    target = data.rewards[index] + gamma ** data.intervals[index] * following
    return float(np.mean(np.abs(target - now)))


def choices_of(
    algorithm: Any, data: Transitions, config: TrainConfig, columns: Sequence[int]
) -> Choices:
    """
    Return the stages that the policy would turn to now and after, as its bundle decides.

    :param columns: where observations say which stages are legal; the best of those is taken.
    """
    torch = load_torch()
    scores = scorer_module(algorithm, pessimism=config.cql.pessimism)

    def chosen(observations: Any) -> Any:
        states = torch.as_tensor(observations, device=algorithm.impl.device)
        found = scores(states)
        if columns:
            found = found.masked_fill(~is_open(states, columns), -torch.inf)
        return found.argmax(dim=1).cpu().numpy()

    with torch.no_grad():
        return chosen(data.observations), chosen(data.next_observations)


def fqe_value(choices: Choices, data: Transitions, config: FqeConfig, n_stages: int) -> float:
    """
    Return the value of a policy by fitted Q evaluation on held-out episodes.

    It ranks policies that stay near the record; where a policy leaves it, the estimate guesses.

    :param choices: the stages that it turns to at each decision and at the one after.
    """
    torch = load_torch()
    state = torch.random.get_rng_state()
    chosen = ChosenTransitions(
        observations=data.observations,
        actions=data.actions,
        costs=-data.plain_rewards.astype(np.float64),
        next_observations=data.next_observations,
        intervals=data.intervals.astype(np.float64),
        n_stages=n_stages,
    )
    each_once = np.ones(len(data), dtype=np.int64)
    costs = [
        discounted_cost(
            chosen, *choices, each_once, gamma=config.gamma, seed=seed, n_steps=config.steps
        )
        for seed in range(config.repeats)
    ]
    torch.random.set_rng_state(state)
    return -float(np.mean(costs))


def _resume(
    algorithm: Any,
    average: WeightAverage | None,
    path: Path,
    log: list[dict[str, float]],
    log_dir: Path,
) -> int:
    """Load a checkpoint if there is one; return the steps it has done."""
    torch = load_torch()
    if not path.exists():
        return 0
    saved = torch.load(path, weights_only=True)
    model = path.with_suffix('.model')
    model.write_bytes(saved['model'])
    algorithm.load_model(str(model))
    model.unlink()
    algorithm.set_grad_step(saved['step'])
    if average is not None:
        average.load(saved['average'])
    with (log_dir / 'training.csv').open(newline='', encoding='utf-8') as file:
        rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    log.extend(row for row in rows if row['step'] <= saved['step'])
    return int(saved['step'])


def _save_checkpoint(algorithm: Any, average: WeightAverage | None, path: Path, step: int) -> None:
    torch = load_torch()
    model = path.with_suffix('.model')
    algorithm.save_model(str(model))
    partial = path.with_suffix('.writing')
    saved_average = average.save() if average else None
    torch.save({'model': model.read_bytes(), 'average': saved_average, 'step': step}, partial)
    partial.replace(path)
    model.unlink()


def _write_log(log: list[dict[str, float]], path: Path) -> None:
    keys = list(dict.fromkeys(key for row in log for key in row))
    partial = path.with_suffix('.writing')
    with partial.open('w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, keys)
        writer.writeheader()
        writer.writerows(log)
    partial.replace(path)


def _summary_writer(log_dir: Path) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(log_dir / 'tensorboard'))
