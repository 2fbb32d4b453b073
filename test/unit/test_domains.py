"""No two tests in one ROS domain: what one publishes, the other would take for its street."""

from __future__ import annotations

from domains import Domain, DOMAINS
import pytest


def test_a_domain_is_free_again_only_when_its_holder_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    held = [Domain() for _ in DOMAINS]
    assert sorted(domain.id for domain in held) == list(DOMAINS)
    with pytest.raises(RuntimeError, match='every ROS domain is taken'):
        Domain()
    freed = held.pop().id
    assert Domain().id == freed
