"""The page of a shadow run with known numbers."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
import json
import math
from pathlib import Path
import re
import shutil
from typing import Any

import pytest

from saferl_ros.bag.description import JunctionDescription
from saferl_ros.bag.scoreboard import Gap, GapKind, HourCount, JunctionScore, StageCount
from saferl_ros.errors import UsageError
from saferl_ros.evaluate.shadow_value import ShadowValue
from saferl_ros.observation.spec import LaneDetector, make_spec
from saferl_ros.report.missing import Missing
from saferl_ros.report.shadow_page import (
    moment,
    quantiles,
    REASON_WORDS,
    shadow_context,
    ShadowJunction,
    share,
    span,
    write_shadow_report,
)
from saferl_ros.shield import ShieldReason
from saferl_ros.signals import SignalPlan

CHROMIUM, DRIVER = shutil.which('chromium'), shutil.which('chromedriver')
SEVEN_S, DAY_S = 25_200.0, 86_400.0
MISSING = Missing(reason='give the bundle with --bundle')
VALUE = ShadowValue(
    junction_id='C',
    algorithm='cql',
    bundle_sha256='ab' * 32,
    incumbent_veh_h=0.8,
    policy_veh_h=0.6,
    difference=-0.25,
    difference_low=-0.5,
    difference_high=0.125,
    n_refits=6,
    n_decisions=597,
    n_segments=12,
    segment_s=300.0,
    gamma=0.97,
    horizon_s=166.7,
    differs_share=0.452,
    never_seen_share=0.186,
)


class Page(HTMLParser):
    """What a reader sees: text without scripts and styles, and tables by id."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.ids: list[str] = []
        self.words = ''
        self._hidden = 0
        self._rows: list[list[str]] | None = None
        self.feed(html)
        self.words = ' '.join(self.words.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if names.get('id'):
            self.ids.append(str(names['id']))
        self._hidden += tag in ('script', 'style')
        if tag == 'table':
            self._rows = self.tables[str(names['id'])] = []
        elif tag == 'tr' and self._rows is not None:
            self._rows.append([])
        elif tag in ('td', 'th') and self._rows is not None:
            self._rows[-1].append('')

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ('script', 'style')
        if tag == 'table':
            self._rows = None

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        self.words += data
        if self._rows and self._rows[-1]:
            self._rows[-1][-1] += data.strip()


@pytest.fixture
def score(plan: SignalPlan) -> JunctionScore:
    """Two mornings at the junction C, with one gap and three vetoes."""
    spec = make_spec(
        'detector',
        n_stages=plan.n_stages,
        max_green_s=120.0,
        lanes=(LaneDetector(lane_id='north_0', length_m=50.0, lane_length_m=90.0),),
        approaches=(),
    )
    hours = [
        HourCount('a', SEVEN_S, 3600.0, 3600.0, 36_000.0, 300, 290, 145, 300, 3, 30),
        HourCount('a', SEVEN_S + DAY_S, 1800.0, 1800.0, 36_000.0, 100, 100, 95, 100, 0, 0),
        HourCount('a', SEVEN_S + 3600.0, 60.0, 60.0, 60.0),
    ]
    return JunctionScore(
        junction_id='C',
        decision_s=5.0,
        description=JunctionDescription(plan=plan, spec=spec, scenario={'name': 'cross'}),
        hours={('a', n): hour for n, hour in enumerate(hours)},
        stages={0: StageCount(200, 120, 60, 40, 10), 1: StageCount(190, 120, 90, 80, 70)},
        reasons=Counter({'policy': 397, 'masked': 2, 'something new': 1}),
        policies=Counter({('cql', 'ab' * 32, '/policy#1'): 7}),
        latencies_s=array('f', [0.001 * n for n in range(1, 102)]),
        odd_scores=array('f', [0.0, 0.5, 1.0]),
        gaps=[
            Gap(
                kind=GapKind.STATES_MISSING, run_id='a', after_s=SEVEN_S + 61.0,
                recorded_s=1_795_546_471.0, length_s=90.0, n_missing=90,
            )
        ],
        gap_counts=Counter({GapKind.STATES_MISSING: 1}),
        gap_s=90.0,
        n_states=5460,
        n_missing=90,
        n_unmatched=4,
        first_recorded_s=1_795_546_471.0,
        last_recorded_s=1_795_636_471.0,
    )  # fmt: skip


def junction(score: JunctionScore, value: Any = MISSING) -> ShadowJunction:
    return ShadowJunction(score=score, value=value, has_bundle=value is not MISSING)


def html_of(folder: Path, *junctions: ShadowJunction, unfinished: tuple[str, ...] = ()) -> str:
    path = folder / 'shadow.html'
    write_shadow_report(path, 'recording', junctions, unfinished)
    return path.read_text(encoding='utf-8')


def test_the_numbers_stand_on_the_page(score: JunctionScore, tmp_path: Path) -> None:
    page = Page(html_of(tmp_path, junction(score)))
    assert '1.52 hours on record' in page.words
    assert 'answered 400 times' in page.words
    assert '61.5 % of 390 answers' in page.words
    assert 'vetoed 3 of 400 (0.8 %)' in page.words
    assert '30 (7.5 %) came in traffic unlike' in page.words
    assert 'In 69.2 % of the compared answers the incumbent kept its stage' in page.words
    assert '10 answers were not compared' in page.words
    assert '4 of them answer a state' in page.words
    assert '13.2 vehicle-hours were lost per hour' in page.words
    rows = {row[0]: row[1:] for row in page.tables['j0-agreement']}
    assert rows['stage 0'] == ['north straight, left', '200', '60.0 %', '60', '40', '10']
    reasons = {row[0]: row[1:] for row in page.tables['j0-reasons']}
    assert reasons['masked'] == [REASON_WORDS['masked'], '2', '0.5 %']
    assert reasons['something new'] == ['something new', '1', '0.2 %']
    assert page.tables['j0-quantiles'][1] == ['time to answer [ms]', '51.00', '91.00', '100.00',
                                              '101.00']  # fmt: skip
    assert page.tables['j0-gaps'][1] == [
        '2026-11-24 18:54:31 UTC', '07:01:01', 'states missing', '90.0 s', '90',
    ]  # fmt: skip


def test_hours_of_several_days_come_together(score: JunctionScore) -> None:
    part = shadow_context('x', [junction(score)], ())['junctions'][0]
    seven, eight = part['by_hour'].rows
    assert seven.head == '07:00'
    assert seven.cells == ('90.0 min', '13.3', '400', '61.5 %', '0.8 %', '7.5 %')
    assert eight.cells[:3] == ('60.0 s', '1.0', '0')
    bars, points = part['figure'].data
    assert (bars['x'], bars['y']) == (['07:00'], [13.3333])  # a minute at eight says little
    assert points['y'] == [10.0, 20.0]


def test_the_estimate_is_never_without_its_caveats(score: JunctionScore, tmp_path: Path) -> None:
    page = Page(html_of(tmp_path, junction(score, VALUE)))
    assert '-25.0 % (95 % interval -50.0 to +12.5 %)' in page.words
    assert 'The interval holds zero' in page.words
    assert 'not evidence for going live' in page.words
    assert 'at 45.2 % of the decisions, and at 18.6 % it chose a stage' in page.words
    assert 'looks ahead 167 s' in page.words
    assert 'bundle given' not in page.words


def test_a_missing_estimate_is_told(score: JunctionScore, tmp_path: Path) -> None:
    page = Page(html_of(tmp_path, junction(score)))
    assert MISSING.reason in page.words
    assert 'with --bundle it is taken from the policy' in page.words
    assert 'FQE' not in page.words


def test_other_and_mixed_bundles_are_told(score: JunctionScore, tmp_path: Path) -> None:
    score.policies['cql', 'cd' * 32, '/policy#2'] += 1
    assert '2 bundles answered' in Page(html_of(tmp_path, junction(score))).words
    score.policies = Counter({('cql', 'cd' * 32, '/policy#2'): 1})
    page = Page(html_of(tmp_path, junction(score, VALUE)))
    assert 'No node told in this recording that it ran the bundle given' in page.words


def test_unfinished_segments_are_told(score: JunctionScore, tmp_path: Path) -> None:
    page = Page(html_of(tmp_path, junction(score), unfinished=('segment_00003',)))
    assert '1 of the segments of this recording was never finished' in page.words
    assert 'segment_00003' in page.words


def test_an_empty_score_makes_a_page(tmp_path: Path) -> None:
    page = Page(html_of(tmp_path, junction(JunctionScore(junction_id='<b>', decision_s=5.0))))
    assert 'No policy answered in shadow here' in page.words
    assert not re.search(r'\bnan\b', page.words)


def test_every_plot_is_valid_and_every_id_is_unique(score: JunctionScore, tmp_path: Path) -> None:
    import plotly.graph_objects as go

    both = [junction(score), junction(score, VALUE)]
    for figure in shadow_context('x', both, ())['figures'].values():
        go.Figure(figure['data'], figure['layout'])  # raises on unknown properties
        json.dumps(figure, allow_nan=False)
    ids = Page(html_of(tmp_path, *both)).ids
    assert len(set(ids)) == len(ids)


def test_the_page_loads_nothing_and_escapes_words(score: JunctionScore, tmp_path: Path) -> None:
    score.junction_id = '<script>alert(1)</script>'
    html = html_of(tmp_path, junction(score))
    own = re.sub(r'<script>\s*/\*\*\s*\* plotly\.js.*?</script>', '', html, count=1, flags=re.S)
    assert 'alert(1)</script>' not in own
    assert 'http:' not in own
    assert 'https:' not in own
    assert not re.search(r'(?:src|href)="(?!#|data:)', own)
    assert str(tmp_path) not in own


def test_a_page_that_cannot_be_written_is_refused(score: JunctionScore, tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    with pytest.raises(UsageError, match='cannot write'):
        write_shadow_report(tmp_path / 'file' / 'x.html', 'x', [junction(score)], ())


def test_words_for_numbers() -> None:
    assert share(1, 0) == '–'
    assert [span(s) for s in (5.0, 119.0, 120.0, 7200.0)] == [
        '5.0 s', '119.0 s', '2.0 min', '2.0 h',
    ]  # fmt: skip
    assert moment(SEVEN_S) == '07:00:00'
    assert moment(SEVEN_S + DAY_S + 1) == '07:00:01, day 2'
    assert all(math.isnan(q) for q in quantiles([]))


def test_every_reason_of_the_shield_for_a_request_has_words() -> None:
    of_the_street = {ShieldReason.MONITOR, ShieldReason.OPERATOR}
    reasons = {reason.value for reason in ShieldReason if reason not in of_the_street}
    assert reasons - set(REASON_WORDS) <= {'hold', 'unknown junction'}


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
    score: JunctionScore, tmp_path: Path, browser: Any
) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    html_of(tmp_path, junction(score), junction(score, VALUE), unfinished=('segment_00001',))
    browser.get((tmp_path / 'shadow.html').resolve().as_uri())
    drawn = (
        "return [...document.querySelectorAll('.js-plotly-plot')]"
        ".filter((e) => e.querySelector('svg.main-svg .cartesianlayer .subplot'))"
        '.map((e) => e.id)'
    )
    plots = {'j0-plot-standing', 'j1-plot-standing'}
    WebDriverWait(browser, 30).until(lambda b: set(b.execute_script(drawn)) == plots)
    shown = "return [...document.querySelectorAll('table')].map((t) => [t.id, t.offsetHeight])"
    heights = dict(browser.execute_script(shown))
    assert {'j0-agreement', 'j0-reasons', 'j0-quantiles', 'j0-hours', 'j1-gaps'} <= set(heights)
    assert min(heights.values()) > 0
    # nothing is cut off: wide tables scroll within the page
    assert browser.execute_script('return document.documentElement.scrollWidth <= innerWidth')
    assert browser.get_log('browser') == []
