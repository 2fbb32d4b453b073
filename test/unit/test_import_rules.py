"""The rooms and their doors: who may import whom, and who may load a heavy library."""

from __future__ import annotations

import ast
from collections.abc import Iterator
import json
from pathlib import Path
import pkgutil
import subprocess
import sys

import pytest

import saferl_ros

ROOT = Path(saferl_ros.__file__).parent
HEAVY = (
    *('torch', 'd3rlpy', 'libsumo', 'traci', 'sumolib', 'sumo_rl', 'rclpy', 'gymnasium'),
    *('pettingzoo', 'h5py', 'plotly', 'jinja2'),
)
LEARNING = ('torch', 'd3rlpy', 'rclpy')
ORDER = (  # a room may import itself and the rooms before it
    *(
        'errors',
        'naming',
        'yaml_file',
        'nursery',
        'isolation',
        'signals',
        'shield',
        'observation',
        'scenario',
        'sumo',
        'env',
    ),
    *(
        'control',
        'dataset',
        'record',
        'bag',
        'train',
        'bundle',
        'evaluate',
        'report',
        'ros',
        'cli',
    ),
)
GYMNASIUM = (
    *('env/intersection.py', 'env/network.py', 'env/registration.py'),
    'dataset/minari_export.py',
)
DOORS = {  # library: the files and folders that may import it
    'traci': ('sumo/home.py',),
    'libsumo': ('sumo/home.py',),
    'sumo_rl': ('sumo/home.py',),
    'sumolib': ('sumo/home.py',),
    'torch': ('train/',),
    'd3rlpy': ('train/',),
    'onnxruntime': ('bundle/load.py',),
    'h5py': ('dataset/io.py',),
    'gymnasium': GYMNASIUM,
    'pettingzoo': ('env/network.py',),
    'minari': ('dataset/minari_export.py',),
    'plotly': ('report/',),
    'jinja2': ('report/',),
    'rclpy': ('ros/',),
    'launch': ('ros/launching.py', 'ros/launch_parameters.py', 'ros/launch_watch.py'),
    'launch_ros': ('ros/launching.py', 'ros/launch_watch.py'),
    'foxglove': ('ros/foxglove_stream.py',),
    'saferl_msgs': ('ros/',),
}


def modules_of(room: str, *, without: tuple[str, ...] = ()) -> list[str]:
    """Return the importable names of a room (or of one file, without ``.py``)."""
    folder = ROOT / room
    if not folder.is_dir():
        return ['.'.join(('saferl_ros', *room.split('/')))]
    return [f'saferl_ros.{room}'] + [
        f'saferl_ros.{room}.{found.name}'
        for found in pkgutil.iter_modules([str(folder)])
        if f'{room}/{found.name}.py' not in without
    ]


def loaded_after_importing(modules: list[str], libraries: tuple[str, ...]) -> list[str]:
    """Import in a fresh interpreter; return which of the libraries came with it."""
    code = (
        'import importlib, json, sys\n'
        f'for name in {modules!r}: importlib.import_module(name)\n'
        f'print(json.dumps([name for name in {libraries!r} if name in sys.modules]))'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True, timeout=60
    )
    found: list[str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    'modules',
    [
        ['saferl_ros', 'saferl_ros.errors'],
        modules_of('signals'),
        modules_of('shield'),
        modules_of('observation'),
        modules_of('scenario'),
        modules_of('bundle/load'),
    ],
    ids=['package', 'signals', 'shield', 'observation', 'scenario', 'bundle.load'],
)
def test_the_core_loads_no_heavy_library(modules):
    assert loaded_after_importing(modules, HEAVY) == []


@pytest.mark.parametrize('room', ['env', 'control', 'dataset', 'record', 'bag', 'evaluate'])
def test_a_room_before_and_beside_training_loads_no_learning_library(room):
    assert loaded_after_importing(modules_of(room, without=GYMNASIUM), LEARNING) == []


def test_the_command_line_answers_without_any_optional_library():
    assert loaded_after_importing(modules_of('cli'), HEAVY) == []


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(ROOT.rglob('*.py')):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding='utf-8'))


def imported_names(tree: ast.Module) -> Iterator[str]:
    """Yield the full name of everything a file imports, at its top or within a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, 'imports are absolute'
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def test_every_heavy_library_is_imported_behind_its_own_door():
    strangers = [
        f'{file} imports {name}'
        for file, tree in sources()
        for name in imported_names(tree)
        for library, doors in DOORS.items()
        if name.split('.')[0] == library and not file.startswith(doors)
    ]
    assert strangers == []


def test_the_doors_lead_to_the_libraries_they_are_named_for():
    text = {name: (ROOT / name).read_text(encoding='utf-8') for name in ('sumo/home.py',)}
    assert 'import_module(name)' in text['sumo/home.py']
    direct = {name for _, tree in sources() for name in imported_names(tree)}
    behind_doors = {name.split('.')[0] for name in direct} & set(DOORS)
    assert behind_doors == set(DOORS) - {'traci', 'libsumo', 'sumo_rl', 'sumolib'}


def room_of(name: str) -> str:
    return name.split('.')[1] if name.count('.') else ''


def test_rooms_import_only_rooms_that_stand_earlier_in_the_story():
    uphill = []
    for file, tree in sources():
        if '/' not in file and Path(file).stem not in ORDER:
            continue  # the package itself and python -m saferl_ros
        room = file.split('/')[0].removesuffix('.py')
        assert room in ORDER, f'give the room {room} its place in the order'
        for name in imported_names(tree):
            other = room_of(name) if name.startswith('saferl_ros.') else ''
            if other in ORDER and ORDER.index(other) > ORDER.index(room):
                uphill.append(f'{file} imports {name}')
    assert uphill == []


def test_the_shield_needs_the_signals_and_python_alone():
    own = ('saferl_ros.errors', 'saferl_ros.shield', 'saferl_ros.signals')
    strangers = [
        f'{file} imports {name}'
        for file, tree in sources()
        if file.startswith('shield/')
        for name in imported_names(tree)
        if name.split('.')[0] not in sys.stdlib_module_names and not name.startswith(own)
    ]
    assert strangers == []


def test_sequencer_and_monitor_share_no_code_with_each_other():
    trees = dict(sources())
    for file, other in (('monitor', 'sequencer'), ('sequencer', 'monitor')):
        names = list(imported_names(trees[f'signals/{file}.py']))
        assert not [name for name in names if f'signals.{other}' in name]
    of_monitor = list(imported_names(trees['signals/monitor.py']))
    assert of_monitor
    assert not [name for name in of_monitor if name.startswith('saferl_ros')]
