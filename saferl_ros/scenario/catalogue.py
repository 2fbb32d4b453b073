"""
The built-in scenarios: our own networks, and every signalised network that sumo-rl brings.

Our own (``sumo_networks/``) are made by a script of ours and licensed as this package is. Those of
the installed sumo-rl package are used where they stand and never copied; RESCO's maps are licensed
CC BY-NC-SA, so see their authors before using them commercially.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
import sys

from saferl_ros.errors import MissingExtraError, ScenarioError


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """Where a built-in scenario's files stand below its ``folder`` and which hour it covers."""

    name: str
    net_file: str
    route_file: str
    additional_files: tuple[str, ...] = ()
    begin_s: float
    end_s: float
    about: str
    is_own: bool = False  # of this package; else of sumo-rl

    @property
    def folder(self) -> Path:
        """
        The folder that the file names start from.

        :raises MissingExtraError: if it is sumo-rl's and that is not installed.
        :raises ScenarioError: if it is ours and not there.
        """
        return own_nets_dir() if self.is_own else nets_dir()


def _own(name: str, about: str, additional: tuple[str, ...] = ()) -> CatalogueEntry:
    return CatalogueEntry(
        name=name,
        net_file=f'{name}/{name}.net.xml',
        route_file=f'{name}/{name}.rou.xml',
        additional_files=tuple(f'{name}/{file}' for file in additional),
        begin_s=0,
        end_s=3600,
        about=about,
        is_own=True,
    )


def _resco(name: str, begin_s: float, about: str, routes: str = '') -> CatalogueEntry:
    return CatalogueEntry(
        name=name,
        net_file=f'RESCO/{name}/{name}.net.xml',
        route_file=f'RESCO/{name}/{routes or name}.rou.xml',
        begin_s=begin_s,
        end_s=begin_s + 3600,
        about=about,
    )


def _small(name: str, net: str, routes: str, about: str) -> CatalogueEntry:
    return CatalogueEntry(
        name=name, net_file=net, route_file=routes, begin_s=0, end_s=3600, about=about
    )


_TWO_WAY = '2way-single-intersection/single-intersection'

OWN = {
    entry.name: entry
    for entry in (
        _own('crossing', 'four legs with left-turn lanes, pedestrians on all of them'),
        _own(
            'corridor',
            'three coordinated junctions, pedestrians, a bus line',
            ('corridor.add.xml',),
        ),
        _own('grid', '16 junctions of arterials, collectors and local streets'),
    )
}

SUMO_RL = {
    entry.name: entry
    for entry in (
        _resco('cologne1', 25200, 'one junction in Cologne, 7 to 8 a.m.'),
        _resco('cologne3', 25200, 'three junctions in Cologne, 7 to 8 a.m.'),
        _resco('cologne8', 25200, 'eight junctions in Cologne, 7 to 8 a.m.'),
        _resco('ingolstadt1', 57600, 'one junction in Ingolstadt, 4 to 5 p.m.'),
        _resco('ingolstadt7', 57600, 'seven junctions in Ingolstadt, 4 to 5 p.m.'),
        _resco('ingolstadt21', 57600, '21 junctions in Ingolstadt, 4 to 5 p.m.'),
        _resco('grid4x4', 0, 'synthetic grid of 16 junctions', 'grid4x4_1'),
        _resco('arterial4x4', 0, 'synthetic arterial of 16 junctions', 'arterial4x4_1'),
        _small(
            'single-intersection',
            'single-intersection/single-intersection.net.xml',
            'single-intersection/single-intersection.rou.xml',
            'two one-way roads cross',
        ),
        _small(
            '2way-single-intersection',
            f'{_TWO_WAY}.net.xml',
            f'{_TWO_WAY}-gen.rou.xml',
            'four legs with left-turn lanes, demand changing by the hour',
        ),
        _small(
            '2way-single-intersection-vertical',
            f'{_TWO_WAY}.net.xml',
            f'{_TWO_WAY}-vertical.rou.xml',
            'the same junction, heavy north-south demand',
        ),
        _small(
            '2way-single-intersection-horizontal',
            f'{_TWO_WAY}.net.xml',
            f'{_TWO_WAY}-horizontal.rou.xml',
            'the same junction, heavy east-west demand',
        ),
        _small(
            '2way-single-intersection-vhvh',
            f'{_TWO_WAY}.net.xml',
            f'{_TWO_WAY}-vhvh.rou.xml',
            'the same junction, heavy demand in turns',
        ),
        _small('double', 'double/network.net.xml', 'double/flow.rou.xml', 'two junctions'),
        _small('2x2grid', '2x2grid/2x2.net.xml', '2x2grid/2x2.rou.xml', 'four junctions'),
        _small(
            '3x3grid',
            '3x3grid/3x3Grid2lanes.net.xml',
            '3x3grid/routes14000.rou.xml',
            'nine junctions',
        ),
        _small('4x4-lucas', '4x4-Lucas/4x4.net.xml', '4x4-Lucas/4x4c2.rou.xml', '16 junctions'),
        _small(
            '4x4loop',
            '4x4loop/4x4loop.net.xml',
            '4x4loop/4x4loop.rou.xml',
            '16 junctions, 200 vehicles at once',
        ),
        _small(
            'nguyen',
            'Nguyen/nguyentl.net.xml',
            'Nguyen/nguyencontext.rou.xml',
            "Nguyen and Dupuis' network with eight signals",
        ),
    )
}

CATALOGUE = OWN | SUMO_RL


def shared_folder(name: str) -> Path:
    """
    Return a folder of files: beside the package in a checkout, below ``share`` once installed.

    :param name: such as ``sumo_networks`` or ``config``.
    :raises ScenarioError: if it is at neither place.
    """
    here = Path(__file__).resolve()
    prefixes = (Path(sys.prefix), *here.parents)  # a ROS workspace has a prefix of its own
    shares = (prefix / 'share' / 'saferl_ros' for prefix in prefixes)
    for place in (here.parents[2], *shares):
        if (place / name).is_dir():
            return place / name
    raise ScenarioError(
        f"the folder '{name}' is neither in '{here.parents[2]}' nor in "
        f"'{Path(sys.prefix) / 'share' / 'saferl_ros'}'; install the package again"
    )


def own_nets_dir() -> Path:
    """Return ``sumo_networks``."""
    return shared_folder('sumo_networks')


def nets_dir() -> Path:
    """
    Return the ``nets`` folder of the installed sumo-rl package, without importing it.

    :raises MissingExtraError: if sumo-rl is not installed.
    """
    found = find_spec('sumo_rl')
    if found is None or found.origin is None:
        raise MissingExtraError('sumo_rl', 'sim')
    return Path(found.origin).parent / 'nets'
