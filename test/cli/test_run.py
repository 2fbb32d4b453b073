"""A whole run, and what a second one does again."""

from __future__ import annotations

import json
from pathlib import Path
import shutil

from commands import assert_refused, saferl_in_process
import pytest

from saferl_ros.scenario.catalogue import nets_dir

pytestmark = pytest.mark.sumo

CONFIG = """
name: small
scenario: {net}
routes: [{routes}]
horizon_s: 120
record: {{episodes: 2}}
train: {{algorithms: [cql], cql: {{steps: 20, ensemble: 1}}, fqe: {{steps: 0}}}}
evaluate: {{seeds: {seeds}, tune: {{scales: [1.0], finalists: 1}}}}
gate: {{max_wait_s: {max_wait_s}}}
"""


def test_a_second_run_does_again_what_changed_and_no_more(tmp_path: Path) -> None:
    nets = nets_dir() / 'single-intersection'
    net, routes = (
        Path(shutil.copy(nets / f'single-intersection{kind}.xml', tmp_path))
        for kind in ('.net', '.rou')
    )
    config, folder = tmp_path / 'small.yaml', tmp_path / 'run'
    record, evaluation = folder / 'dataset.h5', folder / 'evaluation.json'

    def state(max_wait_s: float, seeds: int) -> list[object]:
        text = CONFIG.format(net=net, routes=routes, max_wait_s=max_wait_s, seeds=seeds)
        config.write_text(text, encoding='utf-8')
        done = saferl_in_process('run', config, '-o', folder)
        assert done.returncode == 0, done.stderr
        assert (folder / 'report.html').exists()
        limits = json.loads((folder / 'gate.json').read_text(encoding='utf-8'))['limits']
        judged = json.loads(evaluation.read_text(encoding='utf-8'))
        policy = (folder / 'cql' / 'policy.onnx').stat().st_mtime_ns
        times = record.stat().st_mtime_ns, policy, evaluation.stat().st_mtime_ns
        return [*times, len(judged['demands']), limits['max_wait_s']]

    first = state(300, 1)
    assert state(200, 1) == [*first[:4], 200]
    again = state(200, 2)
    assert again[:2] == first[:2]
    assert again[3] == first[3] + 1

    unchanged = evaluation.read_text(encoding='utf-8')
    old = json.loads(unchanged)
    for other in (
        {**old, 'played_by': ['older', 'code']},
        {**old, 'judged_by': 'older code'},
        {**old, 'format_version': 1},
    ):
        evaluation.write_text(json.dumps(other), encoding='utf-8')
        assert state(200, 2)[:2] == first[:2]
        assert json.loads(evaluation.read_text(encoding='utf-8')) == json.loads(unchanged)

    routes.write_text(routes.read_text(encoding='utf-8') + '<!-- -->', encoding='utf-8')
    assert_refused(
        saferl_in_process('run', config, '-o', folder), 'dataset.h5', routes.name, 'remove it'
    )
