"""The fix: legal programs in an otherwise unchanged network, and SUMO shows them without fault."""

from __future__ import annotations

from dataclasses import replace
import gzip
from pathlib import Path
import re

from hypothesis import given, strategies
import pytest

from saferl_ros.errors import ScenarioError
from saferl_ros.isolation import run_isolated
from saferl_ros.scenario import load_scenario
from saferl_ros.signals import ConflictMonitor, program_card_of
from saferl_ros.sumo.derive import derive_plan, signal_ids
from saferl_ros.sumo.fix import fix_network, NetworkFix
from saferl_ros.sumo.network import Network, read_network
from saferl_ros.sumo.preflight import check_network, play
from saferl_ros.sumo.program_times import share_greens
from saferl_ros.sumo.settings import PlanLimits, SignalSettings
from saferl_ros.sumo.simulation import Simulation

pytestmark = pytest.mark.sumo

LOGIC = re.compile(r'<tlLogic id="([^"]*)".*?</tlLogic>', re.DOTALL)
TEN_MINUTES_S = 600.0


def net_file(name: str) -> Path:
    return load_scenario(name).net_file


def damaged_crossing(folder: Path, *changes: tuple[str, str]) -> Network:
    """Return our own crossing with every occurrence of some texts in its program replaced."""
    text = net_file('crossing').read_text()
    logic = LOGIC.search(text)
    assert logic
    program = logic[0]
    for old, new in changes:
        assert re.search(old, program), old
        program = re.sub(old, new, program)
    path = folder / 'damaged.net.xml'
    path.write_bytes((text[: logic.start()] + program + text[logic.end() :]).encode())
    return read_network.__wrapped__(path)


def crossing_without_clearances(folder: Path) -> Network:
    """Yellows of two seconds, and no pedestrian clearance."""
    return damaged_crossing(
        folder,
        (r' *<phase [^>]*name="pedestrian clearance"/>\n', ''),
        (r'duration="\d"(\s+state="[^"]*" name="yellow")', r'duration="2"\1'),
    )


def fixed(
    network: Network, folder: Path, settings: SignalSettings | None = None
) -> tuple[Network, NetworkFix]:
    """Fix every signal with findings; return what stands in the file then."""
    settings = settings or SignalSettings()
    findings = check_network(network, settings=settings)
    fix = fix_network(network, [name for name, found in findings.items() if found], 1.0, settings)
    path = folder / 'fixed.net.xml'
    path.write_bytes(fix.text)
    return read_network.__wrapped__(path), fix


def lamps_shown(name: str, net: Path, horizon_s: float) -> dict[str, list[str]]:
    """Run a network under its own programs; return what each signal shows in each step."""
    scenario = replace(load_scenario(name, horizon_s=horizon_s), net_file=net)

    def run(scenario):  # within: it travels to the other process as it is
        simulation = Simulation(scenario)
        simulation.start()
        lights = simulation.api.trafficlight
        shown = {tls_id: [] for tls_id in lights.getIDList()}
        for _ in range(round(scenario.horizon_s)):
            simulation.api.simulationStep()
            for tls_id, lamps in shown.items():
                lamps.append(lights.getRedYellowGreenState(tls_id))
        simulation.cleanup()
        return shown

    ((_, shown),) = run_isolated(run, [scenario], jobs=1)
    return shown


def assert_quiet(name: str, network: Network) -> None:
    """Ten minutes of every signal's own program pass its monitor."""
    shown = lamps_shown(name, network.path, TEN_MINUTES_S)
    for tls_id in signal_ids(network):
        monitor = ConflictMonitor(program_card_of(derive_plan(network, tls_id)))
        for lamps in shown[tls_id]:
            monitor.step(lamps)
        assert not monitor.counts, (tls_id, monitor.faults[:3])
        assert len(set(shown[tls_id])) > 4


def assert_same_but_for_the_programs(before: Path, after: Path) -> None:
    old, new = (LOGIC.sub(r'<tlLogic \1>', path.read_text()) for path in (before, after))
    assert new == old


def durations_s(network: Network, tls_id: str) -> list[float]:
    return [phase.duration_s for phase in network.programs[tls_id].phases]


@pytest.mark.parametrize('name', ['cologne1', 'ingolstadt7'])
def test_a_fixed_network_has_no_finding_and_ten_minutes_without_fault(name, tmp_path):
    before = read_network(net_file(name))
    assert all(check_network(before).values())
    after, fix = fixed(before, tmp_path)
    assert not any(check_network(after).values())
    assert_same_but_for_the_programs(before.path, after.path)
    for signal in fix.signals:
        tls_id = signal.junction_id
        assert signal.after.cycle_s == sum(durations_s(after, tls_id)) == signal.before.cycle_s
        assert signal.after.green_ratio < signal.before.green_ratio <= 1
        assert len(signal.after.greens_s) == len(signal.before.greens_s)
        assert after.programs[tls_id].offset_s == before.programs[tls_id].offset_s
    assert_quiet(name, after)


def test_conflicting_greens_of_ingolstadt_are_mended(tmp_path):
    before = read_network(net_file('ingolstadt7'))
    conflicts = [f for f in check_network(before)['gneJ210'] if f.rule == 'conflicting_greens']
    assert {(f.link, f.foe) for f in conflicts} == {(6, 8), (7, 9)}
    after, _ = fixed(before, tmp_path)
    for phase in after.programs['gneJ210'].phases:
        assert not derive_plan(before, 'gneJ210').conflicts(phase.lamps)


def test_pedestrians_get_their_clearance_back_from_the_greens(tmp_path):
    before = crossing_without_clearances(tmp_path)
    rules = {f.rule for f in check_network(before)['c']}
    assert rules == {'short_yellow', 'short_walk_clearance'}
    after, fix = fixed(before, tmp_path)
    assert not any(check_network(after).values())
    assert_same_but_for_the_programs(before.path, after.path)
    (signal,) = fix.signals
    assert signal.cycle_grows_s == 0
    phases = after.programs['c'].phases
    walk, clearing = phases[0].lamps, phases[1].lamps
    assert (walk, clearing) == ('gGrrrrgGrrrrrGrG', 'gGrrrrgGrrrrrrrr')
    # vehicles keep their green while pedestrians clear, so that time is not lost to them
    assert signal.after.green_ratio == pytest.approx(
        (sum(signal.after.greens_s) + phases[1].duration_s + 8) / signal.after.cycle_s
    )
    assert_quiet('crossing', after)


def test_a_fixed_network_is_left_as_it_is(tmp_path):
    after, _ = fixed(read_network(net_file('cologne1')), tmp_path)
    _, again = fixed(after, tmp_path)
    assert again.signals == ()
    assert again.text == after.path.read_bytes()


def test_a_fixed_program_is_read_back_stage_by_stage(tmp_path):
    before = read_network(net_file('ingolstadt7'))
    after, fix = fixed(before, tmp_path)
    for signal in fix.signals:
        old, new = (derive_plan(n, signal.junction_id) for n in (before, after))
        assert new.stages == old.stages
        assert [p.stage_index for p in new.program] == [p.stage_index for p in old.program]
        assert tuple(p.green_s for p in new.program) == signal.after.greens_s


def test_a_cycle_grows_where_every_green_is_at_its_minimum(tmp_path):
    short = [(r'duration="(22|17)"', 'duration="7"'), (r'duration="[98]"', 'duration="5"')]
    clearance = (r' *<phase [^>]*name="pedestrian clearance"/>\n', '')
    before = damaged_crossing(tmp_path, *short, clearance)
    after, fix = fixed(before, tmp_path)
    (signal,) = fix.signals
    assert signal.after.greens_s == (7, 5, 7, 5)
    assert signal.cycle_grows_s == signal.after.cycle_s - signal.before.cycle_s == 14
    assert not any(check_network(after).values())


def test_a_crossing_without_walk_gets_a_stage_at_the_end_of_the_cycle(tmp_path):
    before = damaged_crossing(tmp_path, ('rrrgGrrrrgGrGrGr', 'rrrgGrrrrgGrrrrr'))
    after, fix = fixed(before, tmp_path)
    assert fix.signals[0].added_links == (12, 14)
    assert 'r' * 12 + 'GrGr' in [phase.lamps for phase in after.programs['c'].phases]
    assert not any(check_network(after).values())
    assert_quiet('crossing', after)


def test_a_movement_that_mending_leaves_without_green_gets_a_stage_of_its_own(tmp_path):
    # the straights from east and west have green beside those from north and south, and no other
    before = damaged_crossing(
        tmp_path,
        ('gGrrrrgGrrrrrGrG', 'gGrrGrgGrrGrrGrG'),
        ('gGrrrrgGrrrrrrrr', 'gGrrGrgGrrGrrrrr'),
        ('yyrrrryyrrrrrrrr', 'yyrryryyrryrrrrr'),
        ('rrrgGrrrrgGrGrGr', 'rrrgrrrrrgrrGrGr'),
        ('rrrgGrrrrgGrrrrr', 'rrrgrrrrrgrrrrrr'),
        ('rrryyrrrryyrrrrr', 'rrryrrrrryrrrrrr'),
    )
    after, fix = fixed(before, tmp_path)
    plan = derive_plan(after, 'c')
    served = {link for stage in range(plan.n_stages) for link in plan.greens(stage)}
    assert served == set(range(16))
    assert fix.signals[0].added_links == (4, 10)
    assert not any(check_network(after).values())


def test_what_a_program_states_beside_its_times_and_lamps_stays(tmp_path):
    before = damaged_crossing(
        tmp_path,
        ('<tlLogic id="c" type="static" programID="0" offset="0">', "<tlLogic id='c'\n"
         ' type="actuated" programID="day" offset="12.5"><param key="max-gap" value="4"/>'),
        (r' *<phase [^>]*name="all-red"/>\n', '        <!-- no all-red here -->\n'),
        ('(name="NS through")', r'\1 minDur="9" maxDur="21"'),
        ('(name="EW left")/>', r'\1 minDur="5" maxDur="60"><param key="a" value="b"/></phase>'),
    )  # fmt: skip
    after, _ = fixed(before, tmp_path)
    old, new = (network.path.read_text() for network in (before, after))
    opening = '<tlLogic id=\'c\'\n type="actuated" programID="day" offset="12.5">'
    for text in (
        opening,
        '<param key="max-gap" value="4"/>',
        '<param key="a" value="b"/></phase>',
    ):
        assert text in old
        assert text in new
    assert new.count('<!-- no all-red here -->') == old.count('<!-- no all-red here -->') == 4
    green_s = after.programs['c'].phases[0].duration_s
    assert green_s < 22
    assert f'name="NS through" minDur="9" maxDur="{max(21, green_s):g}"/>' in new
    assert not any(check_network(after).values())
    assert_quiet('crossing', after)  # actuated: its greens vary


def test_a_green_is_no_shorter_than_its_stated_minimum(tmp_path):
    before = damaged_crossing(
        tmp_path,
        (r' *<phase [^>]*name="pedestrian clearance"/>\n', ''),
        ('(name="NS through")', r'\1 minDur="22"'),
    )
    after, _ = fixed(before, tmp_path)
    assert after.programs['c'].phases[0].duration_s >= 22


def test_the_program_that_sumo_runs_is_the_one_that_is_fixed(tmp_path):
    text = net_file('cologne1').read_text()
    logic = LOGIC.search(text)
    assert logic
    second = logic[0].replace('programID="0"', 'programID="night"').replace('"29"', '"19"')
    path = tmp_path / 'two.net.xml'
    path.write_text(text[: logic.end()] + '\n    ' + second + text[logic.end() :])
    after, fix = fixed(read_network(path), tmp_path)
    assert fix.signals[0].before.cycle_s == 70
    assert not any(check_network(after).values())
    assert logic[0] in after.path.read_text()  # the other program, untouched
    assert_quiet('cologne1', after)


def test_the_first_green_begins_when_it_did_though_the_program_begins_with_a_clearance(tmp_path):
    last = '<phase duration="3"  state="rrrrryrrrrryrrrr" name="yellow"/>'
    red = '<phase duration="2"  state="rrrrrrrrrrrrrrrr" name="all-red"/>'
    before = damaged_crossing(
        tmp_path,
        (f'{last}\\s*{red}\\s*</tlLogic>', f'{last}</tlLogic>'),
        ('<phase duration="22"', f'<phase duration="1" state="{"r" * 16}"/><phase duration="23"'),
    )
    after, _ = fixed(before, tmp_path)
    assert not any(check_network(after).values())
    assert [p.lamps for p in after.programs['c'].phases][:2] == ['r' * 16, 'gGrrrrgGrrrrrGrG']
    assert durations_s(after, 'c')[0] == durations_s(before, 'c')[0] == 1
    assert sum(durations_s(after, 'c')) == sum(durations_s(before, 'c'))


def test_clearances_longer_than_the_rules_demand_are_not_shortened(tmp_path):
    before = damaged_crossing(
        tmp_path,
        ('duration="1" (.*name="all-red")', r'duration="4"\1'),
        ('duration="3" (.*"rrryyrrrryyrrrrr")', r'duration="2"\1'),
    )
    after, _ = fixed(before, tmp_path)
    assert durations_s(after, 'c')[2:4] == [4, 4]
    assert not any(check_network(after).values())


def test_an_engineers_times_are_in_the_fixed_program(tmp_path):
    limits = PlanLimits(yellow_s={0: 5.0}, all_red_s={5: 6.0}, min_green_s=8.0)
    settings = SignalSettings(junctions={'c': limits})
    before = read_network(net_file('crossing'))
    assert not any(check_network(before).values())
    after, _ = fixed(before, tmp_path, settings)
    assert not any(check_network(after, settings=settings).values())
    phases = after.programs['c'].phases
    assert [p.duration_s for p in phases if p.lamps == 'yyrrrryyrrrrrrrr'] == [5]
    assert phases[-1].duration_s == 6


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        (('type="static"', 'type="NEMA"'), "type 'NEMA'"),
        (('name="NS left"', 'name="NS left" next="5"'), "'next'"),
    ],
)
def test_a_program_whose_phases_have_another_order_is_left_with_the_reason(
    change, reason, tmp_path
):
    before = damaged_crossing(tmp_path, change, ('duration="4"', 'duration="3"'))
    after, fix = fixed(before, tmp_path)
    assert reason in fix.left['c']
    assert after.path.read_bytes() == before.path.read_bytes()


def test_a_packed_network_is_fixed_as_if_it_were_not(tmp_path):
    plain = read_network(net_file('cologne1'))
    packed = tmp_path / 'packed.net.xml.gz'
    packed.write_bytes(gzip.compress(plain.path.read_bytes()))
    names = list(signal_ids(plain))
    assert fix_network(read_network(packed), names).text == fix_network(plain, names).text


def test_line_ends_and_letters_of_another_alphabet_survive(tmp_path):
    text = net_file('cologne1').read_text()
    text = text.replace('\n', '\r\n').replace(
        '<location', '<!-- Köln 科隆 -->\r\n    <location', 1
    )
    path = tmp_path / 'windows.net.xml'
    path.write_bytes(text.encode())
    after, _ = fixed(read_network(path), tmp_path)
    data = after.path.read_bytes()
    assert 'Köln 科隆'.encode() in data
    assert data.count(b'\n') == data.count(b'\r\n')
    assert not any(check_network(after).values())


def test_a_network_in_utf_16_is_refused(tmp_path):
    path = tmp_path / 'wide.net.xml'
    text = net_file('cologne1').read_text().replace('encoding="UTF-8"', 'encoding="UTF-16"')
    path.write_text(text, encoding='utf-16')
    with pytest.raises(ScenarioError, match=r"wide\.net\.xml' is encoded in UTF-16; save it as"):
        fix_network(read_network(path), ['GS_cluster_357187_359543'])


@pytest.mark.parametrize('offset', ['7', '40.25'])
def test_a_program_is_played_as_sumo_shows_it(offset, tmp_path):
    before = damaged_crossing(
        tmp_path,
        ('offset="0"', f'offset="{offset}"'),
        ('duration="4"', 'duration="3.5"'),
        ('duration="9"', 'duration="9.25"'),
    )
    program = before.programs['c']
    phases = [(phase.duration_s, phase.lamps) for phase in program.phases]
    played = list(play(phases, step_s=1.0, offset_s=program.offset_s))
    begins = int(program.offset_s)  # SUMO's first whole cycle begins here
    shown = lamps_shown('crossing', before.path, begins + 250)['c']
    assert shown[begins : begins + 250] == played[:250]


def test_what_clearances_need_is_taken_from_long_greens_most():
    assert share_greens([30, 10, 20], [10, 10, 10], 48.0, 1.0) == [22, 10, 16]
    assert share_greens([30, 10, 20], [10, 10, 10], 29.0, 1.0) == [10, 10, 10]
    assert share_greens([3, 30], [5, 5], 33.0, 1.0) == [5, 28]


@given(
    strategies.lists(
        strategies.tuples(strategies.integers(1, 60), strategies.integers(1, 20)), min_size=1
    ),
    strategies.integers(0, 2000),
    strategies.sampled_from([0.1, 0.5, 1.0, 2.0]),
)
def test_shared_greens_keep_minimum_and_sum(parts, total, step_s):
    greens_s, min_greens_s = zip(*parts, strict=True)
    shared_s = share_greens(greens_s, min_greens_s, float(total), step_s)
    assert all(s >= least_s - 1e-6 for s, least_s in zip(shared_s, min_greens_s, strict=True))
    if sum(shared_s) > total + 1e-6:
        assert all(s < least_s + step_s for s, least_s in zip(shared_s, min_greens_s, strict=True))
    else:
        assert sum(shared_s) == pytest.approx(total)
