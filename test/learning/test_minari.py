"""A Minari dataset of a record holds the same numbers."""

from __future__ import annotations

from known import record
import numpy as np
import pytest

from saferl_ros.dataset.minari_export import export_minari
from saferl_ros.errors import UsageError


@pytest.fixture
def _own_store(tmp_path, monkeypatch):
    monkeypatch.setenv('MINARI_DATASETS_PATH', str(tmp_path))


@pytest.mark.usefixtures('_own_store')
def test_minari_reads_the_recorded_numbers():
    import minari

    data, _ = record(4, 50)
    export_minari(data, 'saferl/known/leadlag-v0')
    found = minari.load_dataset('saferl/known/leadlag-v0')
    episodes = data.behaviour()
    assert found.total_episodes == len(episodes)
    for theirs, ours in zip(found.iterate_episodes(), episodes, strict=True):
        np.testing.assert_array_equal(theirs.observations, ours.observations)
        np.testing.assert_array_equal(theirs.actions, ours.applied_stage)
        np.testing.assert_allclose(theirs.rewards, ours.reward)
        assert theirs.truncations[-1]
        assert not theirs.terminations.any()


@pytest.mark.usefixtures('_own_store')
def test_a_taken_name_is_refused():
    data, _ = record(2, 20)
    export_minari(data, 'saferl/known/leadlag-v0')
    with pytest.raises(UsageError, match='leadlag-v0'):
        export_minari(data, 'saferl/known/leadlag-v0')
