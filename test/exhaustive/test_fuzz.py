"""A short fuzz; ``make fuzz`` runs ten million requests."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / 'benchmarks'
REQUESTS = {'cologne1': 12_000, 'grid4x4': 16_000, 'crossing': 16_000, 'corridor': 16_000}


@pytest.mark.parametrize('network', REQUESTS)
def test_no_request_proposal_or_event_leads_to_a_fault_an_exception_or_a_dead_end(
    network, monkeypatch
):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    fuzz = importlib.import_module('fuzz')
    tally = fuzz.fuzz_network(fuzz.Stretch(network, seed=1, n_requests=REQUESTS[network]))
    assert tally.requests >= REQUESTS[network]
    assert tally.changes > 1000
    assert (tally.faults, tally.dead_ends, tally.failures) == ({}, 0, [])
    assert tally.n_bad == 0
