"""Names of files for junctions whose ids may hold anything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from saferl_ros.naming import file_name, LONGEST_NAME


@given(st.lists(st.text(min_size=1, max_size=300), min_size=2, max_size=2, unique=True))
def test_different_junctions_have_different_names_that_fit(ids):
    first, second = map(file_name, ids)
    assert first != second
    assert max(len(first), len(second)) <= LONGEST_NAME
    assert not set('/.\0') & set(first + second)


def test_long_ids_that_begin_alike_stay_apart():
    assert file_name('x' * 400) != file_name('x' * 401)
    assert file_name('cluster_1') == 'cluster_1'
