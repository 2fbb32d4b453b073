"""A recording with a budget asks for its family once, and only when it may record."""

from __future__ import annotations

import pytest

from saferl_ros.control.family import FamilyConfig
from saferl_ros.dataset.io import read_record
from saferl_ros.env.junction import Junction
from saferl_ros.errors import UsageError
from saferl_ros.record.recorder import record, RecordConfig
from saferl_ros.scenario import load_scenario

pytestmark = pytest.mark.sumo
FOUND = FamilyConfig(green_scale=0.85, swap_probability=0.25)


@pytest.fixture(scope='module')
def junction():
    return Junction.derive(load_scenario('cologne1', horizon_s=60))


class Search:
    """Finds a family, and counts how often it was asked."""

    def __init__(self) -> None:
        self.n_asked = 0

    def __call__(self, keep):
        self.n_asked += 1
        keep.write_text('episodes\n')
        return FOUND, [{'price': 1.02}]


def test_the_found_family_is_recorded_and_searched_once(junction, tmp_path):
    path, config, search = tmp_path / 'x.h5', RecordConfig(episodes=1, budget=1.05), Search()

    def interrupted(done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record([junction], config, [path], search=search, progress=interrupted)
    assert not path.exists()
    record([junction], config, [path], search=search)
    record([junction], config, [path], search=search)  # finished
    assert search.n_asked == 1
    manifest = read_record(path).manifest
    assert FamilyConfig.model_validate(manifest['family']) == FOUND
    assert manifest['search'] == [{'price': 1.02}]
    assert list(tmp_path.iterdir()) == [path]  # what the search kept is gone


def test_nothing_is_searched_for_what_may_not_be_recorded(junction, tmp_path):
    path, search = tmp_path / 'x.h5', Search()
    record([junction], RecordConfig(episodes=1), [path])
    with pytest.raises(UsageError, match='other settings'):
        record([junction], RecordConfig(episodes=1, budget=1.05), [path], search=search)
    (tmp_path / 'y.h5.parts').mkdir()
    (tmp_path / 'y.h5.parts' / '00000_000.npz').touch()
    with pytest.raises(UsageError, match='interrupted recording'):
        record(
            [junction], RecordConfig(episodes=1, budget=1.05), [tmp_path / 'y.h5'], search=search
        )
    assert search.n_asked == 0


def test_an_interrupted_search_leaves_what_it_played(junction, tmp_path):
    def search(keep):
        keep.write_text('episodes\n')
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(
            [junction], RecordConfig(episodes=1, budget=1.05), [tmp_path / 'x.h5'], search=search
        )
    assert (tmp_path / 'x.h5.parts' / 'search.episodes.jsonl').read_text() == 'episodes\n'
