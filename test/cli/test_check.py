"""``saferl check``: exit codes, JSON, the fixed network, and what it refuses."""

from __future__ import annotations

from functools import partial
import gzip
import json
from pathlib import Path
import re
import shutil

from commands import assert_refused, saferl, saferl_in_process
import pytest

from saferl_ros.scenario import load_scenario

pytestmark = pytest.mark.sumo

COLOGNE1 = 'GS_cluster_357187_359543'


check = partial(saferl_in_process, 'check')


def net_file(name: str) -> Path:
    return load_scenario(name).net_file


def test_a_legal_network_has_no_findings_and_exit_code_0():
    done = check('crossing', '--json')
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        'junctions': [{'junction_id': 'c', 'findings': []}],
        'unchecked': [],
    }


def test_a_signal_without_a_choice_is_named_though_it_is_not_checked(tmp_path):
    text = net_file('corridor').read_text(encoding='utf-8')
    start = text.index('<tlLogic id="b"')
    end = text.index('</tlLogic>', start)
    first = re.search(r'<phase [^>]*/>', text[start:end])
    assert first is not None
    kept = text[start : start + first.end()]
    one = text[:start] + kept + text[end:]
    path = tmp_path / 'one.net.xml'
    path.write_text(one, encoding='utf-8')
    done = check(path)
    assert 'note: signal b has fewer than two stages: not checked' in done.stdout
    assert '0 of 2 signals' in done.stdout


def test_findings_say_junction_rule_link_values_and_source():
    done = check('ingolstadt7', '--json')
    assert done.returncode == 1
    junctions = {j['junction_id']: j['findings'] for j in json.loads(done.stdout)['junctions']}
    assert len(junctions) == 7
    for findings in junctions.values():
        assert {'short_yellow', 'short_all_red'} <= {f['rule'] for f in findings}
        for f in findings:
            assert {'rule', 'link', 'movement', 'found', 'required', 'source'} <= f.keys()
            assert (f['found'] > f['required']) == (f['bound'] == 'at most')
    conflicts = [f for f in junctions['gneJ210'] if f['rule'] == 'conflicting_greens']
    assert [(f['link'], f['foe']) for f in conflicts] == [(6, 8), (7, 9)]
    assert all('right-of-way table' in f['source'] for f in conflicts)


def test_a_person_reads_of_both_links_and_of_the_bound():
    done = check('ingolstadt7', '--junction', 'gneJ210')
    assert done.returncode == 1
    words = ' '.join(done.stdout.replace('│', ' ').split())
    for expected in ('conflicting greens: 2 links', '(with 8:', '≥ 4', '≤ 0', '1 of 1 signals'):
        assert expected in words


def test_a_fix_writes_a_network_without_findings_and_says_what_it_costs(tmp_path):
    out = tmp_path / 'new' / 'legal.net.xml'
    done = check('cologne1', '--fix', out, '--json')
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data['junctions'][0]['findings']
    (cost,) = data['fix']['junctions']
    assert cost['junction_id'] == COLOGNE1
    assert cost['cycle_before_s'] == cost['cycle_after_s'] == 90
    assert 0.5 < cost['green_ratio_after'] < cost['green_ratio_before'] < 1
    assert sum(cost['greens_after_s']) / 90 == pytest.approx(cost['green_ratio_after'], abs=1e-3)
    assert data['fix']['left'] == data['fix']['not_fixed'] == []
    assert data['fix']['out'] == str(out)
    assert [path.name for path in out.parent.iterdir()] == ['legal.net.xml']
    again = check(out)
    assert again.returncode == 0
    assert '0 of 1 signals break a rule' in again.stdout


def test_a_fix_on_screen_ends_with_table_and_verdict(tmp_path):
    out = tmp_path / 'legal.net.xml.gz'
    done = saferl('check', 'cologne1', '--fix', out)
    assert done.returncode == 0, done.stderr
    for words in ('what the fix costs', '77.8%', '29 6 29 6', '1 programs replaced; 0 of 1'):
        assert words in done.stdout
    assert b'<tlLogic' in gzip.decompress(out.read_bytes())


def test_a_fix_of_one_junction_leaves_the_others(tmp_path):
    out = tmp_path / 'legal.net.xml'
    assert check('cologne3', '--junction', '360082', '--fix', out).returncode == 0
    done = check(out, '--json')
    bad = [j['junction_id'] for j in json.loads(done.stdout)['junctions'] if j['findings']]
    assert len(bad) == 2
    assert '360082' not in bad


def test_what_no_fix_can_mend_is_said_with_exit_code_1(tmp_path):
    net, out = tmp_path / 'nema.net.xml', tmp_path / 'legal.net.xml'
    net.write_text(net_file('cologne1').read_text().replace('type="static"', 'type="NEMA"'))
    done = check(net, '--fix', out)
    assert done.returncode == 1
    assert f"junction {COLOGNE1}: not fixed: a program of type 'NEMA'" in done.stdout
    assert 'still in the fixed network: all-red missing or too short' in done.stdout
    assert out.read_text() == net.read_text()


def test_a_cycle_that_must_grow_is_said(tmp_path):
    net, out = tmp_path / 'short.net.xml', tmp_path / 'legal.net.xml'
    text = net_file('cologne1').read_text()
    for green_s in ('29', '6'):
        text = text.replace(f'<phase duration="{green_s}"', '<phase duration="5"')
    net.write_text(text)
    done = check(net, '--fix', out)
    assert done.returncode == 0, done.stdout
    assert 'the cycle grows by ' in done.stdout


def test_exclusive_pedestrians_are_found_missing_and_mended(tmp_path):
    settings, out = tmp_path / 'signals.yaml', tmp_path / 'fixed.net.xml'
    settings.write_text('default: {pedestrians: exclusive}')
    done = check('crossing', '--signals', settings, '--fix', out)
    assert 'turn beside a walk that shares with nobody' in done.stdout
    assert '1 programs replaced; 0 of 1 signals break a rule' in done.stdout
    assert done.returncode == 0
    again = check('crossing', '--signals', settings, '--fix', out)  # over its own last output
    assert again.returncode == 0, again.stderr


def test_settings_of_signals_are_held_against_the_program(tmp_path):
    settings = tmp_path / 'signals.yaml'
    settings.write_text('junctions: {c: {yellow_s: {0: 5}}}')
    done = check('crossing', '--signals', settings, '--json')
    assert done.returncode == 1
    ((finding,),) = [
        [f for f in j['findings'] if f['rule'] == 'short_yellow']
        for j in json.loads(done.stdout)['junctions']
    ]
    assert (finding['link'], finding['found'], finding['required']) == (0, 4, 5)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('junctions: {d: {min_green_s: 8}}', ("junction 'd'", 'no signal of', 'it has: c')),
        ('junctions: {c: {min_grean_s: 8}}', ('min_grean_s', 'min_green_s')),
        ('default: {yellow_s: {0: 3.5}}', ('link 0', '3.5 s', '4 s')),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(text, words, tmp_path):
    settings = tmp_path / 'signals.yaml'
    settings.write_text(text)
    out = tmp_path / 'legal.net.xml'
    assert_refused(check('crossing', '--signals', settings, '--fix', out), *words)
    assert not out.exists()


def test_the_input_itself_is_never_overwritten(tmp_path):
    net, link = tmp_path / 'my.net.xml', tmp_path / 'link.net.xml'
    shutil.copyfile(net_file('cologne1'), net)
    link.symlink_to(net)
    before = net.read_bytes()
    for out in (net, link):
        assert_refused(check(net, '--fix', out), str(out), 'input', 'another file')
    assert net.read_bytes() == before


@pytest.mark.parametrize('where', ['folder.net.xml', 'file/legal.net.xml'])
def test_an_output_that_cannot_be_written_is_refused(where, tmp_path):
    (tmp_path / 'file').write_text('')
    (tmp_path / 'folder.net.xml').mkdir()
    out = tmp_path / where
    assert_refused(check('cologne1', '--fix', out), f"cannot write '{out}'")
