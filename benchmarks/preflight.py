"""
What ``saferl check --fix`` finds and mends on the RESCO maps, and what it costs.

Per map: the signals with findings in the network as it stands and after the fix, by the command
itself; the warnings that SUMO gives while it loads the fixed network and its routes, and did not
give on the original; and one hour of either network under its own programs, in which a conflict
monitor per signal reads the lamps after every step. The monitors' cards are written from the
original network. Also how often SUMO warned in that hour, by kind, before and after, and what the
programs give to vehicles: cycle and share of green, means over the signals.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass, replace
import json
from pathlib import Path
import re
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from saferl_ros.isolation import run_isolated
from saferl_ros.scenario.spec import load_scenario, Scenario
from saferl_ros.signals import ConflictMonitor, program_card_of
from saferl_ros.sumo.derive import derive_plan, signal_ids
from saferl_ros.sumo.home import sumo_binary
from saferl_ros.sumo.network import read_network
from saferl_ros.sumo.simulation import Simulation

RESCO = (
    *('cologne1', 'cologne3', 'cologne8', 'ingolstadt1', 'ingolstadt7', 'ingolstadt21'),
    *('grid4x4', 'arterial4x4'),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """An hour to simulate, and the rules to read it by."""

    scenario: Scenario
    rules: Path  # the network that the monitors' cards are written from


def monitor_faults(hour: Hour) -> dict[str, dict[str, int]]:
    """Return the faults of each signal's own program by rule."""
    network = read_network(hour.rules)
    step_s = hour.scenario.step_s
    monitors = {
        tls_id: ConflictMonitor(
            program_card_of(derive_plan(network, tls_id, step_s=step_s)), step_s=step_s
        )
        for tls_id in signal_ids(network)
    }
    simulation = Simulation(hour.scenario)
    simulation.start()
    api = simulation.api
    try:
        for _ in range(round(hour.scenario.horizon_s / step_s)):
            api.simulationStep()  # SUMO switches at its start: the lamps read after it held
            for tls_id, monitor in monitors.items():
                monitor.step(api.trafficlight.getRedYellowGreenState(tls_id))
    finally:
        simulation.cleanup()
    return {tls_id: dict(monitor.counts) for tls_id, monitor in monitors.items()}


def warnings(scenario: Scenario, *, horizon_s: float) -> Counter[str]:
    """Return what SUMO warns of while it loads and runs, without names, numbers and times."""
    begin_s = scenario.begin_s
    command = [
        *(sumo_binary(), '-n', str(scenario.net_file)),
        *('-r', ','.join(map(str, scenario.route_files))),
        *('-b', f'{begin_s:g}', '-e', f'{begin_s + horizon_s:g}', '--seed', '0'),
        *('--no-step-log', '--duration-log.disable'),
    ]
    if scenario.additional_files:
        command += ['-a', ','.join(map(str, scenario.additional_files))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith(('Warn', 'Error'))]
    kinds = (re.sub(r"'[^']*'", 'X', line) for line in lines)
    return Counter(re.sub(r'\d[\d.]*', 'N', line) for line in kinds)


def check(*arguments: object) -> dict[str, Any]:
    """Run ``saferl check`` and return its JSON."""
    done = subprocess.run(
        [sys.executable, '-m', 'saferl_ros', 'check', *map(str, arguments), '--json'],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode > 1:
        raise SystemExit(done.stderr)
    data: dict[str, Any] = json.loads(done.stdout)
    return data


def n_bad(data: dict[str, Any]) -> int:
    """Return the number of signals with findings."""
    return sum(bool(junction['findings']) for junction in data['junctions'])


def kinds_in_words(counts: Counter[str]) -> str:
    """Return warnings by kind, each cut to a line."""
    return '; '.join(f'{n} x {kind[:60]}' for kind, n in counts.most_common()) or 'none'


def report(name: str, folder: Path) -> tuple[int, int]:
    """Print the table of one map; return signals with findings before, and faults after."""
    scenario = load_scenario(name)
    out = folder / f'{name}.net.xml'
    before = check(name, '--fix', out)
    after = check(out)
    fixed = replace(scenario, net_file=out)
    new = warnings(fixed, horizon_s=0) - warnings(scenario, horizon_s=0)
    gone = warnings(scenario, horizon_s=0) - warnings(fixed, horizon_s=0)
    hours = [Hour(scenario=s, rules=scenario.net_file) for s in (scenario, fixed)]
    faults_before, faults = (
        found for _, found in sorted(run_isolated(monitor_faults, hours, jobs=1))
    )
    n_before, n_faults = (
        sum(sum(counts.values()) for counts in found.values()) for found in (faults_before, faults)
    )
    rules = Counter(
        rule
        for junction in before['junctions']
        for rule in {finding['rule'] for finding in junction['findings']}
    )
    fixes = before['fix']['junctions']

    def mean(key: str) -> float:
        return statistics.fmean(fix[key] for fix in fixes)

    warned = {
        'before': warnings(scenario, horizon_s=scenario.horizon_s),
        'after': warnings(fixed, horizon_s=scenario.horizon_s),
    }
    print(f'{name}')
    print(f'  signals                          {len(before["junctions"])}')
    print(f'  with findings before / after     {n_bad(before)} / {n_bad(after)}')
    print(f'    by rule                        {", ".join(f"{r} {n}" for r, n in rules.items())}')
    print(f'  new warnings on loading          {kinds_in_words(new)}')
    print(f'  warnings no longer given         {kinds_in_words(gone)}')
    print(f'  monitor faults in the hour       {n_before} / {n_faults} at {len(faults)} signals')
    for tls_id, counts in faults.items():
        if counts:
            print(f'    {tls_id}: {counts}')
    for which, counts in warned.items():
        print(f'  warnings in the hour, {which:<10} {kinds_in_words(counts)}')
    print('  mean cycle before / after        ', end='')
    print(f'{mean("cycle_before_s"):.1f} / {mean("cycle_after_s"):.1f} s', end='')
    print(f', longer at {sum(fix["cycle_grows_s"] > 0 for fix in fixes)} signals')
    print('  mean share of green              ', end='')
    print(f'{mean("green_ratio_before"):.1%} / {mean("green_ratio_after"):.1%}', flush=True)
    return n_bad(before), n_faults


def main() -> None:
    """Print one table per map."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--scenarios', nargs='+', default=RESCO)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='saferl_preflight_') as folder:
        totals = [report(name, Path(folder)) for name in options.scenarios]
    n_signals, n_faults = (sum(column) for column in zip(*totals, strict=True))
    print(f'{n_signals} signals with findings before the fix, {n_faults} monitor faults after it')


if __name__ == '__main__':
    main()
