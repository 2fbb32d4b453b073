"""Programs in additional files: what SUMO runs is what is checked, recorded and compared with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import re

from commands import assert_refused, saferl_in_process
from episodes import lamps_of_the_own_program, lamps_under_our_control
import pytest

from saferl_ros.env.junction import Junction
from saferl_ros.isolation import run_isolated
from saferl_ros.scenario import load_scenario

pytestmark = pytest.mark.sumo

CROSSING = load_scenario('crossing')


def program(**attributes: str) -> str:
    """Return the crossing's program, its first green 8 s longer, under another name."""
    text = CROSSING.net_file.read_text()
    phases = re.findall(r'<phase .*/>', text)
    phases[0] = phases[0].replace('"22"', '"30"')
    stated = ' '.join(f'{key}="{value}"' for key, value in attributes.items())
    return f'<tlLogic id="c" type="static" {stated}>{"".join(phases)}</tlLogic>'


def configuration(folder: Path, *additional: str) -> Path:
    """Write a scenario of the crossing with additional files."""
    files = []
    for n, text in enumerate(additional):
        files.append(folder / f'{n}.add.xml')
        files[-1].write_text(f'<additional>{text}</additional>')
    path = folder / 'my.sumocfg'
    path.write_text(
        f'<configuration><net-file value="{CROSSING.net_file}"/>'
        f'<route-files value="{CROSSING.route_files[0]}"/>'
        f'<additional-files value="{",".join(map(str, files))}"/></configuration>'
    )
    return path


def lamps(name: object, play: Callable[[str], list[str]]) -> list[str]:
    ((_, found),) = run_isolated(play, [str(name)], jobs=1)
    return found


@pytest.mark.parametrize(
    'programs',
    [
        (program(programID='night', offset='0'),),
        (program(programID='day', offset='7'), program(programID='night', offset='0')),
    ],
    ids=['another program', 'the last of two'],
)
def test_the_own_plan_is_the_program_that_sumo_runs(tmp_path, programs):
    path = configuration(tmp_path, *programs)
    theirs = lamps(path, lamps_of_the_own_program)
    assert lamps(path, lamps_under_our_control) == theirs
    assert theirs.count('gGrrrrgGrrrrrGrG') == 9 * 30 + 18  # in 900 s of a cycle of 98 s


def test_an_offset_alone_moves_the_program(tmp_path):
    path = configuration(tmp_path, '<tlLogic id="c" programID="0" offset="11"/>')
    moved, before = (
        lamps(path, lamps_of_the_own_program),
        lamps('crossing', lamps_of_the_own_program),
    )
    assert moved[11:] == before[:-11]
    assert Junction.derive(load_scenario(str(path))).plan.offset_s == 11


def test_a_check_holds_what_sumo_runs_against_the_rules_and_does_not_fix_it(tmp_path):
    short = program(programID='night').replace('<phase duration="4"', '<phase duration="2"')
    path = configuration(tmp_path, short)
    done = saferl_in_process('check', path, '--fix', tmp_path / 'out.net.xml')
    assert done.returncode == 1
    assert 'yellow too short' in done.stdout
    assert f"its program is that of '{tmp_path / '0.add.xml'}'" in done.stdout.replace('\n', ' ')


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('<WAUT id="w" refTime="0" startProg="0"/>', ('WAUT', 'leave it out')),
        (
            '<tlLogic id="elsewhere" programID="1" offset="3"/>',
            ("'elsewhere'", 'crossing.net.xml'),
        ),
        (program(programID='night', offset='soon'), ('0.add.xml', "'soon'")),
        (
            '<tlLogic id="c" programID="1"><phase duration="9" state="Gr"/></tlLogic>',
            ("'c' has 2 lamps", '16'),
        ),
    ],
)
def test_a_program_that_cannot_be_meant_is_refused(tmp_path, text, words):
    done = saferl_in_process('check', configuration(tmp_path, text))
    assert_refused(done, *words)
