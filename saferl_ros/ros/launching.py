"""
What the launch files share: their arguments, and the nodes that follow from them.

This and the two files beside it alone import ``launch`` and ``launch_ros``, which come with ROS 2
and not from pip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
import math
import os
from pathlib import Path
import sys
from typing import Any

from launch.actions import (
    DeclareLaunchArgument,
    OpaqueFunction,
)
from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescription
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.logging import get_logger
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from saferl_ros.bundle.folders import find_bundles
from saferl_ros.bundle.load import Bundle, load_bundle
from saferl_ros.errors import UsageError
from saferl_ros.ros import names
from saferl_ros.ros.graph import nodes_of, NodeSpec, params_file, USES
from saferl_ros.ros.launch_parameters import PARAMS_FILE, read_parameters, stated_values
from saferl_ros.ros.launch_watch import LaunchWatch
from saferl_ros.ros.processes import GRACE_S
from saferl_ros.ros.street_of import check_street, DEFAULT_SCENARIO, observation_of
from saferl_ros.scenario import load_scenario
from saferl_ros.sumo.settings import NO_SETTINGS, SignalSettings
from saferl_ros.yaml_file import read_yaml

MODES = {  # beside the fixed-time controller nobody else may command
    'simulation': names.MODES,
    'shadow': tuple(mode for mode in names.MODES if mode != 'active'),
    'live': names.MODES,
}
_SIMULATED = ('simulation', 'shadow')
_TRUTH = {'true': True, '1': True, 'yes': True, 'false': False, '0': False, 'no': False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of a launch file. Empty means: as the parameter file has it."""

    name: str
    about: str
    of: tuple[str, str] = ('', '')  # node and parameter that it sets
    uses: tuple[str, ...] = USES


ARGUMENTS = (
    Argument(
        name='scenario',
        about="what the street is: a built-in name ('saferl scenarios' lists them), or the path "
        'of a .sumocfg',
        of=('sumo_bridge', 'scenario'),
        uses=_SIMULATED,
    ),
    Argument(
        name='bundle',
        about="folder of the policy bundle ('saferl train' writes it), such as "
        'bundle:=runs/demo/cql; for several junctions one bundle each, separated by commas',
        of=('policy', 'bundles'),
    ),
    Argument(
        name='mode',
        about='what the policy may do: shadow (decides beside the controller), advisory (its '
        'requests are shown as advice), active (commands, which needs a passed gate)',
        of=('policy', 'mode'),
    ),
    Argument(
        name='gui',
        about='true: show the street in sumo-gui',
        of=('sumo_bridge', 'gui'),
        uses=_SIMULATED,
    ),
    Argument(
        name='real_time_factor',
        about='simulated over real time, 0 to 1000; 0: as fast as the nodes answer',
        of=('sumo_bridge', 'real_time_factor'),
        uses=_SIMULATED,
    ),
    Argument(
        name='seed',
        about='of SUMO, 0 or more',
        of=('sumo_bridge', 'seed'),
        uses=_SIMULATED,
    ),
    Argument(
        name='horizon_s',
        about='length of the run [s], above 0; it ends by itself then',
        of=('sumo_bridge', 'horizon_s'),
        uses=_SIMULATED,
    ),
    Argument(
        name='record',
        about='folder for the recording, a new segment in it at every start; '
        "'saferl shadow-report' and 'saferl record --from-bag' read it",
        of=('shadow_recorder', 'output'),
    ),
    Argument(
        name='allow_ungated',
        about='true: let a bundle without a passed gate command this simulation; diagnostics warn',
        of=('policy', 'allow_ungated'),
        uses=('simulation',),
    ),
)


def launch_description(use: str) -> LaunchDescription:
    """
    Return the launch description of a use.

    :param use: ``simulation``, ``shadow`` or ``live``.
    """
    own = params_file(use)
    filed = read_parameters(own)
    declared = [
        DeclareLaunchArgument(
            argument.name, default_value='', description=_tell(argument, use, filed)
        )
        for argument in ARGUMENTS
        if use in argument.uses
    ]
    declared.append(
        DeclareLaunchArgument(
            PARAMS_FILE,
            default_value=str(own),
            description='YAML file with the parameters of the nodes; an argument that is given '
            'counts more than the file',
        )
    )
    return LaunchDescription([*declared, OpaqueFunction(function=partial(_start, use=use))])


def _tell(argument: Argument, use: str, filed: Mapping[str, Any]) -> str:
    """Return an argument's description, with what it is where nobody gives it."""
    about = argument.about
    if argument.name == 'mode':
        about += f'; here {", ".join(MODES[use])}'
    node, parameter = argument.of
    value = filed.get(node, {}).get('ros__parameters', {}).get(parameter)
    if argument.name == 'bundle':
        return f'{about}. Required, unless params_file names bundles.'
    if argument.name == 'record' and use == 'simulation':
        return f'{about}. Empty: nothing is recorded.'
    if value is None:
        return f"{about}. Empty: the node's own default."
    text = str(value).lower() if isinstance(value, bool) else value
    return f'{about}. Empty: as in params_file, whose own value is {text}.'


def _start(context: LaunchContext, *, use: str) -> list[LaunchDescriptionEntity]:
    """Check what was given, then return the nodes and what watches over them."""
    _hint_at_unknown(context, use)
    given = {
        name: context.launch_configurations.get(name, '').strip()
        for name in (*(a.name for a in ARGUMENTS if use in a.uses), PARAMS_FILE)
    }
    specs = nodes_given(use, given)
    actions = {_action(spec): spec for spec in specs}
    return [*LaunchWatch(actions).handlers(), *actions]


def nodes_given(use: str, given: Mapping[str, str]) -> list[NodeSpec]:
    """
    Return the nodes of a use with the arguments of its launch file.

    :param given: text by name of argument; empty where nothing was given.
    :raises SaferlError: if a value cannot be used.
    """
    file = Path(given[PARAMS_FILE]).expanduser() if given[PARAMS_FILE] else params_file(use)
    filed = read_parameters(file)
    more: dict[str, object] = {}
    if given.get('seed'):
        more['seed'] = int(_number('seed', given['seed'], 0, 2**31 - 1, is_whole=True))
    if given.get('horizon_s'):
        more['horizon_s'] = _number('horizon_s', given['horizon_s'], 1e-9, 1e6)
    places = _places(given['bundle'], filed)
    bundles = [load_bundle(folder) for place in places for folder in find_bundles(place)]
    if bundles and use in _SIMULATED:
        more['observation'] = observation_of(bundles)
        _check_street(given.get('scenario', ''), bundles, filed)
    mode = _mode('argument', use, given['mode'])
    if not mode:  # that of the file holds, if it is possible here
        for stated in stated_values('mode', filed):
            _mode(f"{PARAMS_FILE} '{file}',", use, str(stated))
    factor = given.get('real_time_factor')
    return nodes_of(
        use,
        scenario=_scenario(given.get('scenario', '')),
        bundles=list(map(str, places)),
        mode=mode,
        gui=_truth('gui', given.get('gui', '')),
        real_time_factor=_number('real_time_factor', factor, 0, 1000) if factor else None,
        record=str(Path(given['record']).expanduser()) if given['record'] else '',
        allow_ungated=_truth('allow_ungated', given.get('allow_ungated', '')),
        file=file.resolve(),
        more=more,
    )


# --- values ---------------------------------------------------------------------------------


def _scenario(text: str) -> str:
    """Return a scenario as the bridge takes it; a file by its full path."""
    if text.endswith(('.sumocfg', '.net.xml', '.net.xml.gz')):
        text = str(Path(text).expanduser().resolve())
    if text and '.net.xml' not in text:  # whose routes are in the parameter file
        load_scenario(text)
    return text


def _check_street(scenario: str, bundles: Sequence[Bundle], filed: Mapping[str, Any]) -> None:
    """Refuse bundles that would never decide on the bridge's street."""

    def stated(name: str, default: Any) -> Any:
        return next(iter(stated_values(name, filed)), default)

    signals = stated('signals', '')
    check_street(
        load_scenario(
            scenario or stated('scenario', DEFAULT_SCENARIO),
            routes=tuple(map(Path, stated('routes', ()))),
        ),
        bundles,
        clearance=stated('clearance', 'legal'),
        settings=read_yaml(Path(signals), SignalSettings) if signals else NO_SETTINGS,
    )


def _places(text: str, filed: Mapping[str, Any]) -> list[Path]:
    folders = [Path(part.strip()).expanduser() for part in text.split(',') if part.strip()]
    if not folders and not any(stated_values('bundles', filed)):
        raise UsageError(
            'argument bundle is missing; give the folder of a policy bundle, such as '
            'bundle:=runs/demo/cql, several separated by commas'
        )
    return folders


def _mode(where: str, use: str, text: str) -> str:
    if text and text not in MODES[use]:
        why = ''
        if text in names.MODES:
            why = ' beside the fixed-time controller; simulation.launch.py lets a policy command'
        raise UsageError(
            f"{where} mode: '{text}' is not possible{why}; choose one of {', '.join(MODES[use])}"
        )
    return text


def _truth(name: str, text: str) -> bool | None:
    if not text:
        return None
    if text.lower() not in _TRUTH:
        raise UsageError(f"argument {name}: '{text}' is neither true nor false")
    return _TRUTH[text.lower()]


def _number(name: str, text: str, low: float, high: float, *, is_whole: bool = False) -> float:
    try:
        value = int(text) if is_whole else float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        kind = 'a whole number' if is_whole else 'a number'
        raise UsageError(f"argument {name}: '{text}' must be {kind} between {low:g} and {high:g}")
    return value


def _hint_at_unknown(context: LaunchContext, use: str) -> None:
    """Warn of an argument that was surely meant for us: launch itself takes any name."""
    ours = [*(a.name for a in ARGUMENTS if use in a.uses), PARAMS_FILE]
    elsewhere = [a.name for a in ARGUMENTS if use not in a.uses]
    for text in context.argv:
        name = text.split(':=')[0]
        near = get_close_matches(name, ours, n=1, cutoff=0.7)
        if name not in ours and (name in elsewhere or near):
            hint = f'; did you mean {near[0]}?' if near else ''
            get_logger('saferl_ros').warning(
                f"argument '{name}' has no meaning for {use}.launch.py and is ignored{hint}"
            )


# --- nodes ----------------------------------------------------------------------------------


def _action(spec: NodeSpec) -> Node:
    """
    Return what starts a node: by the Python that runs the launch file.

    That works in a virtual environment, in an editable install and in a workspace alike.
    """
    return Node(
        executable=sys.executable,
        arguments=['-m', 'saferl_ros.ros.processes', str(os.getpid()), spec.module],
        name=spec.name,
        exec_name=spec.name,
        parameters=[str(spec.params_file), *([spec.parameters] if spec.parameters else [])],
        output='screen',
        sigterm_timeout=LaunchConfiguration('sigterm_timeout', default=str(GRACE_S)),
    )
