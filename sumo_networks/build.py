"""
Builds the networks of this folder: plain XML, signal programs, network, demand, stage tables.

Run ``python sumo_networks/build.py [NAME ...]``. It needs netconvert (the extra ``[sim]``), no
foreign data and no random number; running it again writes the same bytes. A network is a few
tables in ``networks.py``; everything else follows from them:

1. nodes, edges and connections are written, and netconvert measures the junctions;
2. clearances follow from posted speeds and these measures, programs from the clearances;
3. netconvert runs again with the programs; demand, configuration and stage table follow.
"""

from __future__ import annotations

import argparse
from pathlib import Path
import re
import subprocess
import sys
from tempfile import TemporaryDirectory

from demand import demand_elements, stop_elements
from model import NetworkSpec
from networks import NETWORKS
from plain_xml import (
    configuration_elements,
    connection_elements,
    edge_elements,
    node_elements,
    ORIGIN,
    program_elements,
    write,
)
from programs import measure, stage_table, timed_stages

from saferl_ros.sumo.home import sumo_binary

STAGES_MARK = '<!-- stages, written by build.py -->'


def run_netconvert(spec: NetworkSpec, folder: Path, net_file: Path, *more: str) -> None:
    """
    Build a network from the plain files of a folder.

    :raises RuntimeError: if netconvert fails or warns.
    """
    plain = {'-n': 'nod', '-e': 'edg', '-x': 'con'}
    files = [
        part for option, kind in plain.items() for part in (option, f'{spec.name}.{kind}.xml')
    ]
    command = [sumo_binary('netconvert'), *files, *more, '--no-turnarounds', '-o', str(net_file)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        raise RuntimeError(f'netconvert on {spec.name}: {done.stderr}')
    text = net_file.read_text(encoding='utf-8')  # its own comment holds the date and paths
    text = re.sub(r'<!-- generated on .*?-->\n\n?', ORIGIN, text, count=1, flags=re.DOTALL)
    net_file.write_text(text, encoding='utf-8')


def build(spec: NetworkSpec, folder: Path) -> None:
    """
    Write every file of a network but the README, in which only the table of stages is renewed.

    :param folder: where to; made if need be.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def file(kind: str) -> Path:
        return folder / f'{spec.name}.{kind}'

    write(file('nod.xml'), 'nodes', node_elements(spec))
    write(file('edg.xml'), 'edges', edge_elements(spec))
    write(file('con.xml'), 'connections', connection_elements(spec))
    with TemporaryDirectory() as scratch:
        bare = Path(scratch) / 'bare.net.xml'
        run_netconvert(spec, folder, bare)
        measures = measure(spec, bare)
    programs = {node: timed_stages(spec, node, measures[node]) for node in spec.programs}
    write(file('tll.xml'), 'tlLogics', program_elements(spec, programs))
    run_netconvert(spec, folder, file('net.xml'), '-i', f'{spec.name}.tll.xml')
    write(file('rou.xml'), 'routes', demand_elements(spec))
    if spec.bus_lines:
        write(file('add.xml'), 'additional', stop_elements(spec))
    write(file('sumocfg'), 'configuration', configuration_elements(spec))
    readme = folder / 'README.md'
    if readme.exists():
        before, after = readme.read_text(encoding='utf-8').split(STAGES_MARK)[::2]
        table = stage_table(spec, programs)
        text = f'{before}{STAGES_MARK}\n{table}{STAGES_MARK}{after}'
        readme.write_text(text, encoding='utf-8')


def main() -> None:
    """Build the networks named, or all of them."""
    parser = argparse.ArgumentParser(description='Build our own networks.')
    parser.add_argument('names', nargs='*', metavar='NAME', help=f'of: {", ".join(NETWORKS)}')
    parser.add_argument('--out', type=Path, default=Path(__file__).resolve().parent)
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in NETWORKS]
    if unknown:
        parser.error(f"unknown network '{unknown[0]}'; choose from {', '.join(NETWORKS)}")
    for name in options.names or NETWORKS:
        build(NETWORKS[name](), options.out / name)
        sys.stdout.write(f'built {options.out / name}\n')


if __name__ == '__main__':
    main()
