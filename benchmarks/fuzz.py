"""
Random and adversarial requests at every signal, each lamp string read by the conflict monitor.

Drives a whole cabinet (shield, sequencer, monitor) per signal of the eight RESCO maps and of our
own networks: proposals that are legal, illegal, hostile, stale or missing; calls that come and go;
preemptions, omitted stages, and operators who re-arm. Any monitor fault, any exception and any
dead end of the automaton is a failure. ``make fuzz`` runs ten million requests.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass, field
import random
import sys
import time

from saferl_ros.isolation import run_isolated
from saferl_ros.scenario.spec import load_scenario
from saferl_ros.shield import Cabinet, CabinetMode, Proposal, Shield, ShieldLimits
from saferl_ros.signals import SignalPlan
from saferl_ros.sumo.derive import derive_plan, signal_ids
from saferl_ros.sumo.network import read_network
from saferl_ros.sumo.settings import PlanLimits

RESCO = (
    *('cologne1', 'cologne3', 'cologne8', 'ingolstadt1', 'ingolstadt7', 'ingolstadt21'),
    *('grid4x4', 'arterial4x4'),
)
OWN = ('crossing', 'corridor', 'grid')
NAN, INF = float('nan'), float('inf')


@dataclass
class Tally:
    """What the requests at one signal came to."""

    requests: int = 0
    ticks: int = 0
    changes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    dead_ends: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add another signal's."""
        self.requests += other.requests
        self.ticks += other.ticks
        self.changes += other.changes
        self.faults += other.faults
        self.dead_ends += other.dead_ends
        self.failures += other.failures

    @property
    def n_bad(self) -> int:
        """Everything that must not happen."""
        return self.faults.total() + self.dead_ends + len(self.failures)


class Hostile:
    """An object that misbehaves when looked at."""

    def __index__(self) -> int:
        raise RuntimeError('no')

    def __float__(self) -> float:
        raise RuntimeError('no')

    def __len__(self) -> int:
        raise RuntimeError('no')


HOSTILE = Hostile()


def odd_proposal(rng: random.Random, plan: SignalPlan, n: int, now_s: float) -> object:
    """Return a proposal that something is wrong with."""
    kind = rng.randrange(10)
    good = {'junction_id': plan.junction_id, 'sequence': n, 'stamp_s': now_s}
    if kind == 0:
        return rng.choice([None, 3, 'stage', HOSTILE, [1, 2], NAN])
    if kind == 1:
        return Proposal(**good, scores=[NAN] * plan.n_stages)
    if kind == 2:
        return Proposal(**good, scores=[0.0] * rng.randrange(8))
    if kind == 3:
        return Proposal(**good, stage=rng.choice([-1, plan.n_stages, 10**30, -(10**30)]))
    if kind == 4:
        return Proposal(**{**good, 'junction_id': 'elsewhere'}, stage=0)
    if kind == 5:
        return Proposal(**{**good, 'stamp_s': now_s - rng.choice([3.0, 60.0, INF])}, stage=0)
    if kind == 6:
        return Proposal(**{**good, 'stamp_s': now_s + rng.choice([1.0, INF, NAN])}, stage=0)
    if kind == 7:
        return Proposal(**{**good, 'sequence': n - 5}, stage=0)
    if kind == 8:
        return Proposal(**{**good, 'sequence': HOSTILE}, stage=HOSTILE, scores=HOSTILE)
    return Proposal(**good)


def fuzz_signal(plan: SignalPlan, seed: int, n_requests: int) -> Tally:
    """Drive one cabinet with ``n_requests`` requests and proposals; return the tally."""
    rng = random.Random(seed)
    tally = Tally()
    shield = Shield(plan, limits=ShieldLimits(patience_s=rng.choice([2.0, 5.0, 1e6])))
    cabinet = Cabinet(plan, shield)
    sequencer, n_stages = cabinet.sequencer, plan.n_stages
    quiet = (False,) * plan.n_links
    calls = (True,) * plan.n_links
    now_s, lamps = 0.0, ''
    while tally.requests < n_requests:
        mood = rng.random()  # for the next stretch of time
        favourite = rng.randrange(n_stages)
        for _ in range(rng.randrange(5, 60)):
            now_s += 1.0
            for _ in range(rng.randrange(1, 4)):
                tally.requests += 1
                draw = rng.random()
                if mood < 0.3:
                    sequencer.request(favourite)
                elif mood < 0.6:
                    sequencer.request(rng.randrange(-1, n_stages + 1))
                elif draw < 0.3:
                    shield.receive(odd_proposal(rng, plan, tally.requests, now_s), now_s)
                else:
                    proposal = Proposal(
                        junction_id=plan.junction_id,
                        sequence=tally.requests,
                        stamp_s=now_s,
                        stage=rng.randrange(n_stages),
                    )
                    shield.receive(proposal, now_s)
            shown = cabinet.tick(now_s, now_s, calls)
            tally.ticks += 1
            tally.changes += shown.lamps != lamps
            lamps = shown.lamps
            if shown.mode is CabinetMode.FLASH:
                note_faults(tally, cabinet)
                cabinet.reset()
        if rng.random() < 0.3:
            some = tuple(rng.random() < 0.3 for _ in range(plan.n_links))
            calls = rng.choice([quiet, some, (True,) * plan.n_links])
        disturb(rng, cabinet, plan)
    tally.dead_ends = sequencer.n_dead_ends
    return tally


def note_faults(tally: Tally, cabinet: Cabinet) -> None:
    """Take over what the monitor found, or what stopped the loop."""
    tally.faults += cabinet.monitor.counts
    cabinet.monitor.counts.clear()
    if cabinet.failure is not None:
        tally.failures.append(repr(cabinet.failure))


def disturb(rng: random.Random, cabinet: Cabinet, plan: SignalPlan) -> None:
    """Let an operator or an emergency vehicle interfere now and then."""
    draw = rng.random()
    if draw < 0.03:
        cabinet.preempt(rng.randrange(-1, plan.n_stages + 1), rng.choice([5.0, 60.0, NAN, -1.0]))
    elif draw < 0.06:
        cabinet.end_preemption()
    elif draw < 0.08:
        cabinet.omit([rng.randrange(plan.n_stages)])
    elif draw < 0.16:
        cabinet.omit(())
    elif draw < 0.3:
        cabinet.shield.rearm()


@dataclass(frozen=True)
class Stretch:
    """Some requests at all signals of one network."""

    network: str
    seed: int
    n_requests: int


def plans_of(name: str) -> list[SignalPlan]:
    """Return the plans of a network: legal, and where pedestrians walk also exclusive."""
    network = read_network(load_scenario(name).net_file)
    plans = []
    for junction_id in signal_ids(network):
        plan = derive_plan(network, junction_id)
        plans.append(plan)
        if any(link.is_crossing for link in plan.links):
            limits = PlanLimits(pedestrians='exclusive')
            plans.append(derive_plan(network, junction_id, limits=limits))
    return plans


def fuzz_network(stretch: Stretch) -> Tally:
    """Fuzz every signal of a network with an equal share of the requests."""
    plans = plans_of(stretch.network)
    total = Tally()
    share = -(-stretch.n_requests // len(plans))
    for n, plan in enumerate(plans):
        total.add(fuzz_signal(plan, stretch.seed * 1000 + n, share))
    return total


def main() -> int:
    """Print one row per network; exit 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--requests', type=int, default=10_000_000)
    parser.add_argument('--jobs', type=int, default=2)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--networks', nargs='+', default=[*RESCO, *OWN])
    options = parser.parse_args()
    signals = {name: len(plans_of(name)) for name in options.networks}
    n_signals = sum(signals.values())
    stretches = [  # in pieces, so that all cores end together
        Stretch(name, options.seed * 100 + part, -(-options.requests * n // n_signals // 4))
        for name, n in signals.items()
        for part in range(4)
    ]
    found = {name: Tally() for name in signals}
    start = time.monotonic()
    for index, tally in run_isolated(fuzz_network, stretches, jobs=options.jobs):
        found[stretches[index].network].add(tally)
        done = sum(t.requests for t in found.values())
        print(f'\r{done:,} requests', end='', file=sys.stderr, flush=True)
    print(file=sys.stderr)
    seconds = time.monotonic() - start
    print(f'{"network":<14}{"plans":>6}{"requests":>12}{"ticks":>12}{"changes":>11}{"faults":>8}')
    total = Tally()
    for name, tally in found.items():
        total.add(tally)
        print(
            f'{name:<14}{signals[name]:>6}{tally.requests:>12,}{tally.ticks:>12,}'
            f'{tally.changes:>11,}{tally.n_bad:>8}'
        )
        if tally.n_bad:
            print(f'  {dict(tally.faults)} {tally.dead_ends} dead ends {tally.failures[:3]}')
    print(
        f'{"all":<14}{n_signals:>6}{total.requests:>12,}{total.ticks:>12,}{total.changes:>11,}'
        f'{total.n_bad:>8}\n{total.requests / seconds:,.0f} requests a second, {seconds:.0f} s, '
        f'{options.jobs} jobs'
    )
    return int(total.n_bad > 0)


if __name__ == '__main__':
    sys.exit(main())
