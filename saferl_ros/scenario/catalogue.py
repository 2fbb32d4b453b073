"""
The built-in scenarios: every signalised network with demand in the installed sumo-rl package.

The files are used where the package was installed and never copied. RESCO's maps are licensed
CC BY-NC-SA; see their authors before using them commercially.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from saferl_ros.errors import MissingExtraError


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """Where a built-in scenario's files stand below ``sumo_rl/nets`` and which hour it covers."""

    name: str
    net_file: str
    route_file: str
    begin_s: float
    end_s: float
    about: str


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

CATALOGUE = {
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


def nets_dir() -> Path:
    """
    Return the ``nets`` folder of the installed sumo-rl package, without importing it.

    :raises MissingExtraError: if sumo-rl is not installed.
    """
    found = find_spec('sumo_rl')
    if found is None or found.origin is None:
        raise MissingExtraError('sumo_rl', 'sim')
    return Path(found.origin).parent / 'nets'
