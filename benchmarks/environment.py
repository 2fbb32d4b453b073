"""
How much time our environment adds to SUMO, and to what others add.

For one hour of each scenario, side by side in one run: (a) the bare ``sumo`` binary with its
outputs off, (b) our environment deciding every 5 s with the default observation and reward,
(c) ``sumo_rl.SumoEnvironment`` over libsumo, (d) the same over TraCI. All run the network's own
demand under its own program, so that SUMO moves the same vehicles: (c) and (d) with sumo-rl's
``fixed_ts``, (b) by requesting the program's next stage when its green is over, to the nearest
5 s, with the network's own yellows. Each runs in a process of its own; the fastest of several
rounds counts, printed as a ratio to (a).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

from saferl_ros.scenario.spec import load_scenario
from saferl_ros.sumo.home import sumo_binary, sumo_home

# The processes time themselves from their first line on, after their imports: a user pays for
# imports once, for episodes many times. The binary has no imports; its whole run counts.
OURS = """
import time
from saferl_ros.env.intersection import IntersectionEnv
from saferl_ros.sumo.home import load_library
load_library('libsumo')
start = time.perf_counter()
env = IntersectionEnv({name!r}, clearance='net', isolate=False)
program = env.junction.plan.program
_, info = env.reset(seed=0)
n, done = 0, False
while not done:
    if info['green_elapsed_s'] >= program[n % len(program)].green_s - 2.5:
        n += 1
    _, _, _, done, info = env.step(program[n % len(program)].stage_index)
env.close()
print('seconds', time.perf_counter() - start)
"""

THEIRS = """
import time
import sumo_rl
start = time.perf_counter()
env = sumo_rl.SumoEnvironment(
    net_file={net!r}, route_file={routes!r}, begin_time={begin}, num_seconds={seconds},
    single_agent=True, fixed_ts=True, delta_time=5, sumo_seed=0,
    sumo_warnings=False, time_to_teleport=300,
    additional_sumo_cmd='--no-step-log --duration-log.disable')
env.reset()
done = False
while not done:
    _, _, _, done, _ = env.step(None)
env.close()
print('seconds', time.perf_counter() - start)
"""


def bare_s(name: str) -> float:
    """Return the wall time of the binary alone [s]."""
    scenario = load_scenario(name)
    command = [
        *(sumo_binary(), '-n', str(scenario.net_file)),
        *('-r', ','.join(map(str, scenario.route_files))),
        *('-b', f'{scenario.begin_s:g}', '-e', f'{scenario.end_s:g}', '--seed', '0'),
        *('--no-warnings', '--no-step-log', '--duration-log.disable'),
    ]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def timed_s(code: str, **environment: str) -> float:
    """Return the time that a Python process reports for its own work [s]."""
    done = subprocess.run(
        [sys.executable, '-c', code],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith('seconds'))
    return float(line.split()[1])


def measure(name: str, rounds: int) -> dict[str, float]:
    """Return the fastest time of each contestant [s]."""
    scenario = load_scenario(name)
    ours = OURS.format(name=name)
    theirs = THEIRS.format(
        net=str(scenario.net_file),
        routes=','.join(map(str, scenario.route_files)),
        begin=int(scenario.begin_s),
        seconds=int(scenario.horizon_s),
    )
    contestants = {
        '(a) bare sumo binary': lambda: bare_s(name),
        '(b) saferl_ros, libsumo': lambda: timed_s(ours),
        '(c) sumo_rl, libsumo': lambda: timed_s(theirs, LIBSUMO_AS_TRACI='1'),
        '(d) sumo_rl, TraCI': lambda: timed_s(theirs),
    }
    best = dict.fromkeys(contestants, float('inf'))
    for n in range(rounds):
        for contestant, run in contestants.items():
            if n and contestant.startswith('(d)'):
                continue  # an order of magnitude slower: once is enough
            best[contestant] = min(best[contestant], run())
    return best


def main() -> None:
    """Print one table per scenario."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--scenarios', nargs='+', default=['cologne1', 'ingolstadt1'])
    parser.add_argument('--rounds', type=int, default=20)
    options = parser.parse_args()
    sumo_home()
    for name in options.scenarios:
        best = measure(name, options.rounds)
        bare = best['(a) bare sumo binary']
        print(f'{name}, one hour, fastest of {options.rounds} rounds')
        for contestant, seconds in best.items():
            print(f'  {contestant:<26} {seconds:6.2f} s   {seconds / bare:5.2f} x (a)')


if __name__ == '__main__':
    main()
