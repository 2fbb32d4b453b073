"""One network for many junctions: it treats stages alike, and learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from known import record
import numpy as np
import pytest

from saferl_ros.bundle.folders import without_guard
from saferl_ros.bundle.load import load_bundle
from saferl_ros.bundle.produce import run_training, TrainTask
from saferl_ros.dataset.files import check_alike, check_together
from saferl_ros.dataset.io import write_record
from saferl_ros.dataset.schema import Record
from saferl_ros.errors import DatasetError
from saferl_ros.observation import ObservationSpec
from saferl_ros.observation.stagewise import N_STAGE_FEATURES, STAGE_FEATURES, StageEncoding
from saferl_ros.signals import SignalPlan
from saferl_ros.train.algorithm import create_shared
from saferl_ros.train.config import FqeConfig, QLearningConfig, TrainConfig
from saferl_ros.train.library import load_d3rlpy

CONFIG = TrainConfig(
    algorithms=('cql',),
    shared=True,
    cql=QLearningConfig(
        steps=1500, hidden_units=(32,), learning_rate=2e-3, gamma=0.9,
        target_update_interval=100, ensemble=1,
    ),
    fqe=FqeConfig(steps=300, times=1),
)  # fmt: skip


def swapped(data: Record, junction_id: str) -> Record:
    """Return the same junction and record with its two stages numbered the other way round."""
    plan, spec = data.plan, data.spec
    other = replace(
        plan,
        junction_id=junction_id,
        stages=plan.stages[::-1],
        program=tuple(replace(p, stage_index=1 - p.stage_index) for p in plan.program),
    )
    places = swapped_places(spec)
    manifest = {**data.manifest, 'plan_fingerprint': other.fingerprint()}
    episodes = [
        replace(
            e,
            observations=e.observations[:, places],
            legal=e.legal[:, ::-1],
            stage=1 - e.stage,
            requested_stage=1 - e.requested_stage,
            applied_stage=1 - e.applied_stage,
        )
        for e in data.episodes
    ]
    return replace(data, plan=other, manifest=manifest, episodes=episodes)


def swapped_places(spec: ObservationSpec) -> list[int]:
    names = [feature.name for feature in spec.features()]
    swap = {'stage_0': 'stage_1', 'stage_1': 'stage_0'}
    return [names.index(swap.get(name[:7], name[:7]) + name[7:]) for name in names]


def encoded(plan: SignalPlan, spec: ObservationSpec, observations: np.ndarray) -> np.ndarray:
    rows = StageEncoding(plan, spec)(observations.astype(np.float32))
    return rows.reshape(len(observations), plan.n_stages, N_STAGE_FEATURES)


def test_swapping_stages_swaps_the_rows() -> None:
    data, _ = record(2, 50)
    other = swapped(data, 'other')
    ours = encoded(data.plan, data.spec, data.episodes[0].observations)
    theirs = encoded(other.plan, other.spec, other.episodes[0].observations)
    np.testing.assert_array_equal(ours, theirs[:, ::-1])
    queue = ours[:, :, STAGE_FEATURES.index('protected_queue')]
    unserved = ours[:, :, STAGE_FEATURES.index('unserved_queue')]
    np.testing.assert_array_equal(queue, unserved[:, ::-1])  # each stage serves one of two lanes
    assert queue.any()


def test_permuting_stages_permutes_the_values_and_empty_rows_change_nothing() -> None:
    load_d3rlpy().seed(0)
    n_stages, rng = 5, np.random.default_rng(1)
    algorithm = create_shared(
        'cql',
        CONFIG,
        n_features=n_stages * N_STAGE_FEATURES,
        n_stages=n_stages,
        device='cpu',
    )
    rows = rng.random((40, n_stages, N_STAGE_FEATURES)).astype(np.float32)
    rows[:, :, :3] = 0
    rows[:, :4, 0] = 1  # four stages exist
    rows[:, 1, 1] = 1
    rows[:, [0, 1, 3], 2] = 1

    def values(of: np.ndarray) -> np.ndarray:
        flat = of.reshape(len(of), -1)
        return np.stack(
            [algorithm.predict_value(flat, np.full(len(of), n)) for n in range(n_stages)], axis=1
        )

    ours = values(rows)
    assert (ours[:, [2, 4]] < -1e5).all()  # not legal, not there
    assert (np.abs(ours[:, [0, 1, 3]]) < 100).all()
    order = rng.permutation(n_stages)
    np.testing.assert_allclose(values(rows[:, order]), ours[:, order], rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize('leave_out', [(), ('other',)])
def test_a_shared_policy_serves_a_junction_that_it_never_saw(
    tmp_path: Path, leave_out: tuple[str, ...]
) -> None:
    bare, _ = record()
    prints = {
        'plan_fingerprint': bare.plan.fingerprint(),
        'spec_fingerprint': bare.spec.fingerprint(),
    }
    data = replace(bare, manifest={**bare.manifest, **prints})
    both = [data, swapped(data, 'other')]
    files = tuple(tmp_path / f'{n}.h5' for n in range(2))
    for file, one in zip(files, both, strict=True):
        write_record(one, file)
    folders = tuple(tmp_path / f'bundle_{n}' for n in range(2))
    run_training(
        TrainTask(
            record_files=files,
            dataset_sha256='0' * 64,
            algorithm='cql',
            seed=1,
            config=CONFIG.model_copy(update={'leave_out': leave_out}),
            folders=folders,
            log_dir=tmp_path / 'log',
            device='cpu',
        )
    )
    for one, folder in zip(both, folders, strict=True):
        bundle = load_bundle(folder)
        assert bundle.manifest.junction_id == one.plan.junction_id
        states = one.episodes[0].observations
        names = [feature.name for feature in one.spec.features()]
        queues = states[:, [names.index(f'in{n}_0_queue') for n in range(2)]]
        served_by = [0, 1] if one is data else [1, 0]
        best = np.array(served_by)[queues.argmax(axis=1)]
        chosen = np.array([bundle.scores(state).argmax() for state in states])
        free = one.episodes[0].legal.all(axis=1)
        assert np.mean(chosen[free] == best[free]) > 0.95
    has_guard = [load_bundle(folder).guard_model is not None for folder in folders]
    assert has_guard[0]
    assert has_guard[1] is not bool(leave_out)
    assert without_guard(folders) == list(leave_out)


def test_one_network_learns_from_records_of_several_maps() -> None:
    data, _ = record(2, 50)
    elsewhere = swapped(replace(data, manifest={**data.manifest, 'scenario': 'y'}), 'other')
    paths = [Path('a.h5'), Path('b.h5')]
    check_alike([data, elsewhere], paths)
    with pytest.raises(DatasetError, match='not recorded together'):
        check_together([data, elsewhere], paths)
    with pytest.raises(DatasetError, match=f"both of junction '{data.plan.junction_id}'"):
        check_alike([data, data], paths)
    paid = replace(elsewhere, manifest={**elsewhere.manifest, 'reward': 'queue'})
    with pytest.raises(DatasetError, match="has reward 'queue'"):
        check_alike([data, paid], paths)
