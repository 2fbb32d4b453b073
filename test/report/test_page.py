"""The report page of a run folder with known numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html.parser import HTMLParser
import json
from pathlib import Path
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest

from saferl_ros.bundle.manifest import Manifest, sha256
from saferl_ros.errors import DatasetError, MissingExtraError, UsageError
from saferl_ros.report.missing import Missing
from saferl_ros.report.page import page_context, write_report
from saferl_ros.report.run_folder import read_run
from saferl_ros.report.score_tables import level_of_service
from saferl_ros.signals import SignalPlan

MakeRun = Callable[..., Path]
SECTIONS = (
    *('junction', 'data', 'training', 'comparison', 'demand', 'queue', 'safety', 'gate'),
    *('baselines', 'conclusions'),
)
PLOTS = (
    *('plot-coverage-0', 'plot-coverage-1', 'plot-loss', 'plot-held-out-td-error'),
    *('plot-fqe-value', 'plot-delay', 'plot-demand', 'plot-queue'),
)
CHROMIUM, DRIVER = shutil.which('chromium'), shutil.which('chromedriver')


class _Page(HTMLParser):
    """What a reader sees: text without scripts and styles, tables by id, drawings."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.ids: list[str] = []
        self.n_drawings = 0
        self.text = ''
        self.title = ''
        self._tags: list[str] = []
        self._table: list[list[str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if names.get('id'):
            self.ids.append(str(names['id']))
        self.n_drawings += tag == 'svg' and names.get('role') == 'img'
        if tag == 'table':
            self._table = self.tables[str(names['id'])] = []
        elif tag == 'tr':
            self._table.append([])
        elif tag in ('td', 'th'):
            self._table[-1].append('')
        if tag not in ('meta', 'link', 'path', 'polygon'):
            self._tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._tags:
            while self._tags.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if 'title' in self._tags:
            self.title += data
        if not {'script', 'style', 'title'} & set(self._tags):
            self.text += data
        if {'td', 'th'} & set(self._tags):
            self._table[-1][-1] += data

    def column(self, table: str, heading: str) -> dict[str, str]:
        """Return a column of a table by the heads of its rows."""
        columns, *rows = self.tables[table]
        at = [' '.join(name.split()) for name in columns].index(heading)
        return {row[0]: ' '.join(row[at].split()) for row in rows}


def _report(run: Path) -> _Page:
    path = run / 'report.html'
    write_report(run, path)
    return _Page(path.read_text(encoding='utf-8'))


def _words(page: _Page) -> str:
    return ' '.join(page.text.split())


def test_every_section_table_and_plot_is_on_the_page(make_run: MakeRun) -> None:
    page = _report(make_run())
    assert page.title == 'Learned signal control at cross: the gate passed'
    for section in SECTIONS:
        assert f'section-{section}' in page.ids
    for plot in PLOTS:
        assert plot in page.ids
    assert set(page.tables) == {
        *('approaches', 'stages', 'clearances', 'follows', 'comparison', 'safety'),
        *('gate-checks', 'tuning'),
    }


def test_the_verdict_gives_gate_delays_and_intervals(make_run: MakeRun) -> None:
    words = _words(_report(make_run()))
    assert 'The gate passed: under cql a vehicle loses 24.0 s on average (95 % interval' in words
    assert "under net_plan, the network's own plan, 40.0 s" in words
    assert 'that is 0.60 times as much' in words
    assert 'better on these demands' in words
    assert '0.1.0, SUMO 1.28.0, recorded by revision 0123456789ab' in words
    assert "1.025 of the own plan's delay" in words


def test_the_comparison_has_every_controller_in_full(make_run: MakeRun) -> None:
    page = _report(make_run())
    delays = page.column('comparison', 'delay [s/veh] (95 % interval)')
    assert list(delays) == [
        *('net_plan', 'own_plan', 'best_plan', 'actuated', 'max_pressure', 'behaviour'),
        *('cql', 'bc'),
    ]
    assert delays['cql'] == '24.0 (18.0 to 30.0)'
    assert page.column('comparison', 'level of service')['cql'] == 'C'
    assert page.column('comparison', 'level of service')['bc'] == 'F'
    assert page.column('comparison', 'delay ÷ max_pressure')['cql'].startswith('0.75 (')
    assert page.column('comparison', 'delay ÷ net_plan')['net_plan'] == '1'
    assert page.column('comparison', 'travel time [s]')['cql'] == '49.0'
    assert page.column('comparison', 'throughput [veh]')['cql'] == '1 000'


@pytest.mark.parametrize(
    ('delay_s', 'letter'),
    [(10, 'A'), (10.1, 'B'), (20, 'B'), (35, 'C'), (55, 'D'), (80, 'E'), (80.1, 'F')],
)
def test_level_of_service_follows_the_manual(delay_s: float, letter: str) -> None:
    assert level_of_service(delay_s) == letter


def test_safety_counts_the_faults_of_the_own_program_too(make_run: MakeRun) -> None:
    page = _report(make_run())
    assert page.column('safety', 'monitor faults')['net_plan'] == '36'
    assert page.column('safety', 'by rule')['net_plan'] == 'all-red missing or too short 36'
    assert page.column('safety', 'monitor faults')['cql'] == '0'
    assert page.column('safety', 'teleports')['bc'] == '12'
    assert page.column('safety', 'longest wait [s]')['cql'] == '90'
    assert 'net_plan runs as it stands' in _words(page)


def test_pedestrians_have_a_table_where_somebody_walks(make_run: MakeRun) -> None:
    page = _report(make_run(n_pedestrians=200))
    assert page.column('pedestrians', 'pedestrians')['cql'] == '600'
    assert page.column('pedestrians', 'standing [s]')['cql'] == '15.0 (15.0 to 15.0)'
    assert page.column('pedestrians', 'longest wait [s]')['net_plan'] == '61'
    assert 'Pedestrians' not in _words(_report(make_run()))


def test_stages_are_drawn_and_named_by_compass(make_run: MakeRun) -> None:
    page = _report(make_run())
    assert page.n_drawings == 2
    assert page.column('stages', 'green, protected') == {
        '0': 'N straight, left',
        '1': 'W straight',
    }
    assert page.column('stages', 'green, must give way') == {'0': 'none', '1': 'W right'}
    assert (
        page.column('clearances', 'stage 1')['stage 0'] == '4 + 2'
    )  # the left turn clears slower
    assert page.column('follows', 'stage 1')['stage 0'] == '30'


def test_without_the_network_the_stages_are_told_in_words(
    make_run: MakeRun, network_file: Path
) -> None:
    run = make_run()
    elsewhere = network_file.rename(network_file.with_name('moved.net.xml'))
    page = _report(run)
    assert page.n_drawings == 0
    assert not isinstance(read_run(run, elsewhere).junctions[0].network, Missing)
    assert 'was not found on this machine' in _words(page)
    (reason,) = write_report(run, run / 'again.html')
    assert 'was not found on this machine' in reason
    assert page.column('stages', 'green, protected')['0'] == 'north straight, left'


def test_a_network_with_other_movements_is_not_drawn(
    make_run: MakeRun, network_file: Path, tmp_path: Path
) -> None:
    run = make_run()
    other = tmp_path / 'other.net.xml'
    text = network_file.read_text(encoding='utf-8')
    other.write_text(text.replace('north', 'nord'), encoding='utf-8')
    config = {'scenario': str(other), 'routes': [str(tmp_path / 'cross.rou.xml')]}
    (run / 'config.yaml').write_text(json.dumps(config), encoding='utf-8')
    page = _report(run)
    assert page.n_drawings == 0
    assert 'is not the one this run was made with' in _words(page)


def test_gate_and_tuning_are_told(make_run: MakeRun) -> None:
    page = _report(make_run())
    assert set(page.column('gate-checks', 'result').values()) == {'pass'}
    assert page.column('tuning', 'what won') == {
        'best_plan': 'stage 0: 35 s, stage 1: 25 s',
        'max_pressure': 'holds a stage for at least 10 s, changes for a gain of more than 2 '
        'vehicles, counts standing vehicles, sees the road that leads to a short approach too',
    }
    assert page.column('tuning', 'demand scales')['best_plan'] == '1, 0.75'


def test_every_plot_is_valid_and_keeps_the_colours(make_run: MakeRun) -> None:
    import plotly.graph_objects as go

    figures = page_context(read_run(make_run()))['figures']
    assert set(figures) == set(PLOTS)
    seen: dict[str, set[str]] = {}
    for figure in figures.values():
        go.Figure(figure['data'], figure['layout'])  # raises on unknown properties
        json.dumps(figure, allow_nan=False)
        for trace in figure['data']:
            colour = trace.get('line', trace.get('marker', {})).get('color')
            if colour:
                seen.setdefault(trace['name'], set()).add(colour)
    assert len(seen) == 8
    assert all(len(colours) == 1 for colours in seen.values())


def test_degradation_is_drawn_where_it_was_judged(make_run: MakeRun) -> None:
    def row(kind: str, level: float, cql_s: float) -> dict[str, Any]:
        def one(delay_s: float) -> dict[str, Any]:
            same = {'mean': delay_s, 'ci_low': delay_s, 'ci_high': delay_s}
            ratio = {'mean': delay_s / 20, 'ci_low': 1.0, 'ci_high': 1.0}
            over = {f'over_{name}': ratio for name in ('undisturbed', 'net_plan', 'own_plan')}
            counts = dict.fromkeys(('monitor_faults', 'starved', 'collisions', 'teleports'), 0.0)
            return {'delay_s': same, 'fallback_share': 0.93, **over, **counts}

        return {
            'kind': kind,
            'level': level,
            'controllers': {'net_plan': one(20.0), 'cql': one(cql_s)},
        }

    rows = [row('none', 0.0, 10.0), row('blind detectors', 0.5, 15.0), row('rain', 0.0, 12.0)]
    run = make_run(degradation=rows)
    page = _report(run)
    assert 'blind detectors 0.5' in _words(page)
    assert '15.0 (0.75), fallback 93%' in _words(page)
    figures = page_context(read_run(run))['figures']
    cql = figures['plot-disturbed-blind-detectors']['data'][1]
    assert (cql['name'], cql['x'], cql['y']) == ('cql', [0.0, 0.5], [10.0, 15.0])
    assert 'plot-disturbed-stuck-detectors' not in figures
    assert 'When things go wrong' not in _words(_report(make_run()))


def test_the_nominal_demand_stands_apart(make_run: MakeRun) -> None:
    traces = page_context(read_run(make_run()))['figures']['plot-demand']['data']
    cql = [trace for trace in traces if trace['name'] == 'cql']
    assert [trace['x'] for trace in cql] == [[0.8, 1.2], [1.0]]
    assert [trace['y'] for trace in cql] == [[18.0, 30.0], [24.0]]
    assert [trace['mode'] for trace in cql] == ['lines+markers', 'markers']


def test_the_page_loads_nothing_and_names_no_machine_path(make_run: MakeRun) -> None:
    run = make_run()
    write_report(run, run / 'report.html')
    html = (run / 'report.html').read_text(encoding='utf-8')
    own = re.sub(r'<script>\s*/\*\*\s*\* plotly\.js.*?</script>', '', html, count=1, flags=re.S)
    assert len(own) < len(html) / 10
    assert 'http:' not in own
    assert 'https:' not in own
    assert not re.search(r'(?:src|href)="(?!#|data:)', own)
    assert '@import' not in own
    assert str(run.parent) not in own


def test_words_from_files_are_escaped(make_run: MakeRun) -> None:
    evil = '<script>alert(1)</script>'
    run = make_run(descriptions={'cql': evil}, junction_ids=[evil])
    write_report(run, run / 'report.html')
    assert evil not in (run / 'report.html').read_text(encoding='utf-8')


def test_plots_show_names_as_they_stand(make_run: MakeRun) -> None:
    run = make_run(_delays(cql=(20.0, 30.0, 25.0), **{'cql<b>': (20.0, 30.0, 25.0)}))
    traces = page_context(read_run(run))['figures']['plot-delay']['data']
    assert traces[-1]['y'] == ['cql&lt;b&gt;']  # plotly would read a tag as formatting


def test_a_failed_gate_forbids_to_command(make_run: MakeRun) -> None:
    worse = (45.0, 80.0, 60.0)
    page = _report(make_run(_delays(cql=worse)))
    words = _words(page)
    assert page.title.endswith('the gate failed')
    assert 'cql may not command: the gate failed' in words
    assert 'cql delays traffic more than' in words
    assert page.column('gate-checks', 'result')['delay over net_plan'] == 'FAIL'


def _delays(**more: tuple[float, ...]) -> dict[str, tuple[float, ...]]:
    names = ('net_plan', 'own_plan', 'best_plan', 'actuated', 'max_pressure', 'behaviour')
    return {**dict.fromkeys(names, (30.0, 50.0, 40.0)), **more}


def test_the_conclusions_follow_the_run(make_run: MakeRun) -> None:
    words = _words(_report(make_run(_delays(cql=(20.0, 30.0, 25.0)), clearance='resco')))
    assert 'nothing of it may command a junction' in words
    assert 'They are not legal' in words
    assert 'cql was trained once' in words
    assert 'Only 3 demands were judged' in words
    assert 'no safety check' in words
    assert 'no pedestrian crossing is signalled' in words
    assert 'above the budget' not in words


def test_a_verdict_on_another_evaluation_is_not_shown(make_run: MakeRun) -> None:
    run = make_run()
    assert 'The gate passed' in _words(_report(run))
    verdict = (run / 'gate.json').read_text(encoding='utf-8')
    make_run(package_version='judged again')
    (run / 'gate.json').write_text(verdict, encoding='utf-8')
    words = _words(_report(run))
    assert "is of another evaluation than the one in this folder; run 'saferl gate' again" in words
    assert 'The gate passed' not in words


def test_a_gate_by_looser_limits_is_told(make_run: MakeRun) -> None:
    run = make_run()
    verdict = json.loads((run / 'gate.json').read_text(encoding='utf-8'))
    verdict['looser'] = ['max_delay_over_actuated 2 instead of 1']
    (run / 'gate.json').write_text(json.dumps(verdict), encoding='utf-8')
    words = _words(_report(run))
    easier = 'easier to pass than it is by default: max_delay_over_actuated 2 instead of 1.'
    assert easier in words


def test_a_bundle_that_was_not_judged_is_told(make_run: MakeRun, plan: SignalPlan) -> None:
    there = Manifest(
        package_version='0.1.0',
        git_revision='',
        algorithm='cql',
        seed=1,
        config={},
        junction_id=plan.junction_id,
        scenario='cross',
        plan=plan.to_json(),
        plan_fingerprint=plan.fingerprint(),
        spec={},
        spec_fingerprint='',
        decision_s=5.0,
        dataset_sha256='',
        n_transitions=1,
        files={'policy.onnx': 'a1', 'guard.json': 'b2'},
    )

    def words(judged: str, *, is_of_record: bool = False) -> str:
        run = make_run(policies={'cql': {plan.junction_id: judged}})
        (run / 'cql').mkdir(exist_ok=True)
        record = sha256(run / 'dataset.h5') if is_of_record else ''
        there.model_copy(update={'dataset_sha256': record}).write(run / 'cql')
        return _words(_report(run))

    elsewhere = 'cql did not learn from the record in this folder'
    assert elsewhere in words(there.contents)
    assert elsewhere not in words(there.contents, is_of_record=True)

    assert 'not what was judged' not in words(there.contents)
    other = there.model_copy(update={'files': {**there.files, 'guard.json': 'c3'}})
    assert 'cql in this folder is not what was judged here' in words(other.contents)


def test_several_training_seeds_are_told_as_a_spread(make_run: MakeRun) -> None:
    delays = _delays(cql=(20.0, 30.0, 25.0), cql_2=(22.0, 34.0, 28.0), cql_3=(20.0, 32.0, 26.0))
    words = _words(_report(make_run(delays)))
    assert 'the spread over the 3 training seeds: cql, cql_2 and cql_3 lie between 25.0' in words


def test_a_dear_record_is_called_dear(make_run: MakeRun) -> None:
    run = make_run()
    report = json.loads((run / 'quality.json').read_text(encoding='utf-8'))
    report['price'] = {'mean': 1.2, 'ci_low': 1.1, 'ci_high': 1.3, 'n_pairs': 4.0}
    report['warnings'] = ['the data cost too much']
    (run / 'quality.json').write_text(json.dumps(report), encoding='utf-8')
    words = _words(_report(run))
    assert 'above the budget of 1.05' in words
    assert 'the data cost too much' in words


@pytest.mark.parametrize(
    ('piece', 'words'),
    [
        ('gate.json', 'holds no gate verdict'),
        ('logs', 'holds no readable training log'),
        ('dataset.h5', 'No policy bundle with a signal plan is there either'),
        ('quality.json', 'One map per stage that shows green'),  # made anew from the record
        ('config.yaml', 'was not found on this machine'),
    ],
)
def test_a_missing_piece_is_told(make_run: MakeRun, piece: str, words: str) -> None:
    run = make_run()
    path = run / piece
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert words in _words(_report(run))


def test_the_evaluation_alone_makes_a_page(make_run: MakeRun) -> None:
    run = make_run(traces={}, baselines={}, fault_counts={}, descriptions={})
    for path in run.iterdir():
        if path.name != 'evaluation.json':
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    page = _report(run)
    assert set(page.tables) == {'comparison', 'safety'}
    assert page.title.endswith('there is no gate verdict')


@pytest.mark.parametrize('piece', ['gate.json', 'quality.json', 'dataset.h5', 'config.yaml'])
@pytest.mark.parametrize('content', ['', '{', '[1, 2]', '{"a": 1}'])
def test_a_damaged_piece_does_not_stop_the_report(
    make_run: MakeRun, piece: str, content: str
) -> None:
    run = make_run()
    (run / piece).write_text(content, encoding='utf-8')
    assert 'comparison' in _report(run).tables


@pytest.mark.parametrize('content', ['', 'step', 'step,loss\n1,a,b,c\nx', '\x00'])
def test_a_damaged_training_log_does_not_stop_the_report(make_run: MakeRun, content: str) -> None:
    run = make_run()
    (run / 'logs' / 'bc' / 'training.csv').write_text(content, encoding='utf-8')
    assert 'plot-loss' in _report(run).ids


def test_a_folder_without_evaluation_is_refused(make_run: MakeRun) -> None:
    run = make_run()
    (run / 'evaluation.json').unlink()
    with pytest.raises(DatasetError, match=r'holds no evaluation\.json'):
        write_report(run, run / 'report.html')
    with pytest.raises(UsageError, match='is no run folder'):
        write_report(run / 'nowhere', run / 'report.html')
    assert not (run / 'report.html').exists()


@pytest.mark.parametrize(
    'changes',
    [
        {'controllers': {}},
        {'controllers': {'cql': {'delay_s': 3}}},
        {'controllers': None},
        {'demands': []},
        {'demands': [{'scale': 1.0, 'is_nominal': False}]},
        {'delay_ratios': 7},
        {'scenario': {}},
        {'format_version': 99},
    ],
)
def test_a_damaged_evaluation_is_refused(make_run: MakeRun, changes: dict[str, Any]) -> None:
    run = make_run()
    path = run / 'evaluation.json'
    data = json.loads(path.read_text(encoding='utf-8'))
    path.write_text(json.dumps({**data, **changes}), encoding='utf-8')
    with pytest.raises(DatasetError, match=r'evaluation\.json'):
        write_report(run, run / 'report.html')


@pytest.mark.parametrize('library', ['plotly', 'jinja2'])
def test_a_missing_library_is_named(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    run = make_run()
    for name in [name for name in sys.modules if name.split('.')[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"'{library}'.*\[report\]"):
        write_report(run, run / 'report.html')


def test_importing_the_room_loads_neither_plotly_nor_jinja2() -> None:
    code = (
        'import sys, saferl_ros.report.page\n'
        "assert not {'plotly', 'jinja2', 'torch', 'libsumo'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, '-c', code], check=True)


def test_a_page_that_cannot_be_written_leaves_the_old_one(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()
    path = run / 'report.html'
    path.write_text('old', encoding='utf-8')

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(Path, 'replace', full)
    with pytest.raises(UsageError, match='No space left'):
        write_report(run, path)
    assert path.read_text(encoding='utf-8') == 'old'
    assert not list(run.glob('*.writing'))


def test_a_place_below_a_file_is_refused_in_words(make_run: MakeRun) -> None:
    run = make_run()
    with pytest.raises(UsageError, match='cannot write'):
        write_report(run, run / 'gate.json' / 'report.html')


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """Headless Chromium with an empty profile."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = str(CHROMIUM)
    for flag in (
        *('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'),
        *('--disable-background-networking', '--disable-component-update', '--disable-sync'),
        *('--disable-dev-shm-usage', '--window-size=1280,1000'),
        f'--user-data-dir={tmp_path / "profile"}',
    ):
        options.add_argument(flag)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.mark.browser
@pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason='needs the packages chromium and chromium-driver'
)
def test_chromium_shows_tables_and_plots_without_complaint(
    make_run: MakeRun, browser: Any
) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    run = make_run()
    path = run / 'report.html'
    write_report(run, path)
    browser.get(path.resolve().as_uri())
    drawn = (
        "return [...document.querySelectorAll('.js-plotly-plot')]"
        ".filter((e) => e.querySelector('svg.main-svg .cartesianlayer .subplot'))"
        '.map((e) => e.id)'
    )
    WebDriverWait(browser, 30).until(lambda b: len(b.execute_script(drawn)) == len(PLOTS))
    assert set(browser.execute_script(drawn)) == set(PLOTS)
    shown = "return [...document.querySelectorAll('table')].map((t) => [t.id, t.offsetHeight])"
    heights = dict(browser.execute_script(shown))
    assert {'comparison', 'safety', 'gate-checks', 'stages'} <= set(heights)
    assert min(heights.values()) > 0
    # nothing is cut off: wide tables scroll within the page
    assert browser.execute_script('return document.documentElement.scrollWidth <= innerWidth')
    assert browser.get_log('browser') == []
