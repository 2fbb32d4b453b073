"""A junction with a known best stage, and records of it, without SUMO."""

from __future__ import annotations

import numpy as np

from saferl_ros.dataset.schema import Episode, Record
from saferl_ros.observation import LaneDetector, make_spec
from saferl_ros.signals import Link, ProgramInterval, SignalPlan, Stage


def two_way_plan() -> SignalPlan:
    links = tuple(
        Link(
            index=n,
            from_lane=f'in{n}_0',
            to_lane=f'out{n}_0',
            direction='s',
            speed_mps=13.9,
            crossing_m=20.0,
        )
        for n in range(2)
    )
    crossing = ((False, True), (True, False))
    return SignalPlan(
        junction_id='known',
        clearance='legal',
        links=links,
        stages=(
            Stage(lamps='Gr', min_green_s=5.0, max_green_s=60.0),
            Stage(lamps='rG', min_green_s=5.0, max_green_s=60.0),
        ),
        foes=crossing,
        yields=crossing,
        min_yellow_s=(3.0, 3.0),
        min_red_s=((1.0, 1.0), (1.0, 1.0)),
        yellow_s=((0.0, 3.0), (3.0, 0.0)),
        all_red_s=((0.0, 1.0), (1.0, 0.0)),
        walk_clear_s=((0.0, 0.0), (0.0, 0.0)),
        min_walk_s=(0.0, 0.0),
        walk_clearance_s=(0.0, 0.0),
        max_red_s=240.0,
        program=(
            ProgramInterval(stage_index=0, green_s=10.0),
            ProgramInterval(stage_index=1, green_s=10.0),
        ),
        offset_s=0.0,
        protected_turn_clears=True,
    )


def elapsed_of(stage: np.ndarray, first_s: float = 0.0) -> np.ndarray:
    """Return the green so far at each decision [s], where each takes 5 s."""
    elapsed = np.full(len(stage), first_s)
    for t in range(1, len(stage)):
        elapsed[t] = elapsed[t - 1] + 5 if stage[t] == stage[t - 1] else 5
    return elapsed


def record(n_episodes: int = 20, n_steps: int = 200) -> tuple[Record, int]:
    """
    Traffic waits before one of two legs; serving it earns -1, the other leg -2.

    The leg changes by itself, so the best stage is always the one with the queue. Behaviour
    alternates blindly, keeping a stage with probability 0.5.
    """
    plan = two_way_plan()
    lanes = tuple(
        LaneDetector(lane_id=f'in{n}_0', length_m=100.0, lane_length_m=200.0) for n in range(2)
    )
    spec = make_spec('detector', n_stages=2, max_green_s=60.0, lanes=lanes, approaches=())
    names = [feature.name for feature in spec.features()]
    queue = [names.index('in0_0_queue'), names.index('in1_0_queue')]
    rng = np.random.default_rng(0)
    episodes = []
    for n in range(n_episodes):
        waiting = rng.integers(0, 2, n_steps + 1)
        family = 'net' if n % 4 == 0 else 'leadlag'
        if family == 'net':
            actions = np.arange(n_steps) // 2 % 2  # the own plan: two decisions each
        else:
            actions = rng.integers(0, 2, n_steps)
        stage = np.concatenate([[0], actions])
        observations = np.zeros((n_steps + 1, spec.size), dtype=np.float32)
        observations[np.arange(n_steps + 1), stage] = 1.0
        observations[np.arange(n_steps + 1), np.take(queue, waiting)] = 1.0
        elapsed = elapsed_of(stage)
        observations[:, 2] = elapsed / 60
        observations[:, [names.index(f'stage_{n}_is_legal') for n in range(2)]] = 1.0
        right = actions == waiting[:-1]
        episodes.append(
            Episode(
                observations=observations,
                legal=np.ones((n_steps + 1, 2), dtype=bool),
                stage=stage,
                green_elapsed_s=elapsed.astype(np.float32),
                requested_stage=actions,
                applied_stage=actions,
                behaviour_prob=np.full(n_steps, 0.5, dtype=np.float32),
                reward=np.where(right, -1.0, -2.0).astype(np.float32),
                elapsed_s=np.full(n_steps, 5.0, dtype=np.float32),
                cost=np.zeros((n_steps, 5), dtype=np.float32),
                family=family,
                demand={'seed': n, 'scale': 1.0},
                metrics={'delay_s': 1.0},
            )
        )
    manifest = {'family': {'plans': 'leadlag'}, 'scenario': {'name': 'known'}}
    return Record(manifest=manifest, plan=plan, spec=spec, episodes=episodes), queue[1]
