"""The nodes of each use: the one description that launch files and ``saferl sim`` share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saferl_ros.errors import UsageError
from saferl_ros.scenario.catalogue import shared_folder

USES = ('simulation', 'shadow', 'live')


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node: which program, and what differs from the parameter file."""

    name: str  # of the node, and of the module that runs it
    params_file: Path
    parameters: dict[str, Any] = field(default_factory=dict)
    ends_all: bool = False  # its orderly end is the end of the run
    is_needed: bool = True  # the others are stopped if it fails

    @property
    def module(self) -> str:
        """What ``python -m`` runs."""
        return f'saferl_ros.ros.{self.name}'


def params_file(use: str) -> Path:
    """Return the parameter file of a use."""
    return shared_folder('config') / f'{use}.params.yaml'


def nodes_of(
    use: str,
    *,
    scenario: str = '',
    bundles: Sequence[str] = (),
    mode: str = '',
    gui: bool | None = None,
    real_time_factor: float | None = None,
    record: str = '',
    allow_ungated: bool | None = None,
    file: Path | None = None,
    more: dict[str, Any] | None = None,
) -> list[NodeSpec]:
    """
    Return the nodes of a use; what is left out stays as the parameter file has it.

    ``simulation``
        the bridge, and the policy that commands it.
    ``shadow``
        the bridge, the fixed-time incumbent, the policy beside it, and the recorder.
    ``live``
        the policy and the recorder, for a real controller's bridge.

    :param scenario: what the bridge runs; not for ``live``.
    :param bundles: folders of policy bundles.
    :param mode: of the policy.
    :param record: folder for the recording; empty records nothing, but ``shadow`` and ``live``
        have a folder in their parameter files.
    :param file: another parameter file than the use's own.
    :param more: further parameters of the bridge.
    :raises UsageError: if the use is unknown.
    """
    if use not in USES:
        raise UsageError(f"'{use}' is no use; choose one of {', '.join(USES)}")
    file = file or params_file(use)
    bridge: dict[str, Any] = dict(more or {})
    if scenario:
        bridge['scenario'] = scenario
    if gui is not None:
        bridge['gui'] = gui
    if real_time_factor is not None:
        bridge['real_time_factor'] = float(real_time_factor)
    policy: dict[str, Any] = {'autostart': True}
    if bundles:
        policy['bundles'] = [str(Path(bundle).resolve()) for bundle in bundles]
    if mode:
        policy['mode'] = mode
    if allow_ungated is not None:
        policy['allow_ungated'] = allow_ungated

    def node(name: str, parameters: dict[str, Any], **fate: bool) -> NodeSpec:
        return NodeSpec(name=name, params_file=file, parameters=parameters, **fate)

    if mode == 'advisory':
        bridge['wait_for_shadow'] = False  # advice is for people, who take their time
    if record and use == 'simulation':
        bridge['recorder'] = 'shadow_recorder'
    nodes = []
    if use != 'live':
        nodes.append(node('sumo_bridge', bridge, ends_all=True))
    if use == 'shadow':
        nodes.append(node('fixed_time', {}))
    nodes.append(node('policy', policy))
    if use != 'simulation' or record:
        output = {'output': str(Path(record).resolve())} if record else {}  # never like a number
        # a full disk must not take the policy from a street; a simulation has nothing to lose
        nodes.append(node('shadow_recorder', output, is_needed=use != 'live'))
    return nodes
