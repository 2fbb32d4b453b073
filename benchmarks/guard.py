"""
How often the out-of-distribution guard cries wolf, and how soon it notices a stuck detector.

From a record: half of the behaviour episodes fit and calibrate the guard, the other half judge it.
A fault is written into the judged episodes' observations, one lane at a time, from a third of the
episode on; the traffic itself is not simulated anew, so the policy does not react to the fault.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from saferl_ros.dataset.guard_fit import FALSE_ALARM_RATE, fit_guard
from saferl_ros.dataset.guard_trial import (
    false_alarm_interval,
    freeze,
    replay,
    stick_off,
    stick_on,
)
from saferl_ros.dataset.intervals import Interval, ratio_interval
from saferl_ros.dataset.io import read_record
from saferl_ros.dataset.schema import Episode
from saferl_ros.shield.guard import Guard, GuardModel

N_MORE_SPLITS = 20
Fault = Callable[..., npt.NDArray[np.float32]]

FAULTS: dict[str, Fault] = {
    'stuck on, queue at its maximum': stick_on,
    'stuck on, moving at its maximum': partial(stick_on, is_moving=True),
    'stuck on, as a full queue': partial(stick_on, fill_ratio=0.5, occupancy_ratio=0.7),
    'stuck off': stick_off,
    'frozen': freeze,
}


def halves(episodes: list[Episode], seed: int) -> tuple[list[Episode], list[Episode]]:
    """Return the episodes to fit and calibrate on, and those to judge by."""
    order = np.random.default_rng(seed).permutation(len(episodes))
    middle = len(order) // 2
    return [episodes[n] for n in order[:middle]], [episodes[n] for n in order[middle:]]


def text(interval: Interval) -> str:
    """Return an interval in per cent."""
    low, high = 100 * interval.ci_low, 100 * interval.ci_high
    return f'{100 * interval.mean:.2f} % [{low:.2f}, {high:.2f}]'


def first_alarm(
    model: GuardModel, episode: Episode, observations: npt.NDArray[np.float32], start: int
) -> tuple[float, str] | None:
    """
    Return the time from decision ``start`` to the alarm [s] and the detector that it names.

    :returns: infinity if there is no alarm, ``None`` if one was running already.
    """
    alarms = replay(Guard(model), observations, episode.elapsed_s)
    if alarms[start - 1]:
        return None
    if not alarms[start:].any():
        return float('inf'), ''
    end = start + int(np.argmax(alarms[start:]))
    watch = Guard(model)
    replay(watch, observations[: end + 1], episode.elapsed_s[:end])
    return float(episode.elapsed_s[start:end].sum()), watch.suspect


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('record', type=Path)
    parser.add_argument('--rate', type=float, default=FALSE_ALARM_RATE, help='stated rate')
    parser.add_argument('--episodes', type=int, default=20, help='judged ones to inject faults in')
    parser.add_argument('--seed', type=int, default=0, help='of the two halves')
    options = parser.parse_args()
    record = read_record(options.record)
    episodes, spec = record.behaviour(), record.spec
    known, judged = halves(episodes, options.seed)
    model = fit_guard(known, spec, false_alarm_rate=options.rate, seed=options.seed)
    again = []
    for seed in range(options.seed + 1, options.seed + 1 + N_MORE_SPLITS):
        ours, theirs = halves(episodes, seed)
        other = fit_guard(ours, spec, false_alarm_rate=options.rate, seed=seed)
        again.append(false_alarm_interval(other, theirs))
    alarms = [replay(Guard(model), e.observations, e.elapsed_s) for e in judged]
    n_rising = [int((a[1:] & ~a[:-1]).sum() + a[0]) for a in alarms]
    hours = sum(float(e.elapsed_s.sum()) for e in judged) / 3600
    share = ratio_interval([float(a.sum()) for a in alarms], [float(len(a)) for a in alarms])
    print(f'{options.record}: {len(known)} episodes to fit and calibrate, {len(judged)} to judge')
    print(f'  threshold {model.threshold:.3f} on {model.n_calibration} calibration decisions')
    print(f'  stated false-alarm rate of a decision {100 * model.false_alarm_rate:.2f} %')
    print(f'  held-out rate, 95 % over episodes     {text(false_alarm_interval(model, judged))}')
    print(f'  mean of {N_MORE_SPLITS} other splits', end='                 ')
    print(f'{100 * np.mean([i.mean for i in again]):.2f} %, ', end='')
    print(f'{sum(i.ci_low <= options.rate for i in again)} intervals reach the stated rate')
    print(f'  share of decisions in alarm           {text(share)}')
    print(f'  alarms an hour {sum(n_rising) / hours:.2f}, ', end='')
    print(f'episodes without any {np.mean([n == 0 for n in n_rising]):.0%}')
    print(f'  {"fault, one lane at a time":<32} detected   median   90 % in  ', end='')
    print('slowest lane (median)  named rightly')
    for name, inject in FAULTS.items():
        medians_s, every_s, is_named = [], [], []
        for lane in spec.lanes:
            delays_s = []
            for episode in judged[: options.episodes]:
                start = len(episode) // 3
                broken = inject(episode.observations, spec, lane.lane_id, from_decision=start)
                alarm = first_alarm(model, episode, broken, start)
                if alarm is not None:
                    delays_s.append(alarm[0])
                    is_named.append(alarm[1] == lane.lane_id)
            medians_s.append(float(np.median(delays_s)))
            every_s += delays_s
        median_s, most_s = np.quantile(every_s, [0.5, 0.9], method='lower')
        print(
            f'  {name:<32} {np.isfinite(every_s).mean():8.1%} {median_s:6.0f} s {most_s:7.0f} s '
            f'{max(medians_s):20.0f} s {np.mean(is_named):14.0%}'
        )


if __name__ == '__main__':
    main()
