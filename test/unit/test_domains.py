"""No two tests in one ROS domain: what one publishes, the other would take for its street."""

from __future__ import annotations

from domains import clear_shared_memory, Domain, DOMAINS
import pytest


def test_a_domain_is_free_again_only_when_its_holder_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    held = [Domain() for _ in DOMAINS]
    assert sorted(domain.id for domain in held) == list(DOMAINS)
    with pytest.raises(RuntimeError, match='every ROS domain is taken'):
        Domain()
    freed = held.pop().id
    assert Domain().id == freed


def test_what_killed_nodes_of_a_domain_left_is_removed_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr('domains.SHARED_MEMORY', tmp_path)
    left = ('fastrtps_port10411', 'fastrtps_port10415_el', 'sem.fastrtps_port10411_mutex')
    others = (
        'fastrtps_port10150',
        'fastrtps_port10399',
        'fastrtps_port10650',
        'fastrtps_4878',
        'x',
    )
    for name in (*left, *others):
        (tmp_path / name).touch()
    clear_shared_memory(12)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)
