"""
Faults planted in the safety core, one at a time, and what catches each.

A test that nothing can fail proves nothing. Every mutant of ``planted.py`` is one plausible
mistake in the sequencer, the plan, the pairing of clearances, the shield or the cabinet. It is
planted in a copy of the package and hunted there, cheapest first: by a short fuzz whose lamps the
conflict monitor reads, then by the tests. The monitor is never mutated, and its program cards are
written by the sound code.

A mutant that nothing catches is a missing test, unless ``EXPLAINED`` says why nobody could see it.
Nothing is drawn by chance: the same source gives the same table. ``make mutants`` hunts them all.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
import importlib
import os
from pathlib import Path
import pickle
import shutil
import subprocess
import sys
import tempfile
import time

import fuzz
from planted import EXPLAINED, Mutant, MUTANTS, QUICK

from saferl_ros.signals import card_of, MonitorCard, SignalPlan
from saferl_ros.signals.pairing import with_clearances

ROOT = Path(__file__).resolve().parent.parent
TESTS = (  # in this order, up to the first that fails
    'test/unit/test_sequencer.py',
    'test/unit/test_plan.py',
    'test/unit/test_clearance.py',
    'test/unit/test_shield.py',
    'test/unit/test_cabinet.py',
    'test/unit/test_detector_watch.py',
    'test/unit/test_fallback.py',
    'test/unit/test_planted.py',
    'test/property/test_sequencer.py',
    'test/property/test_events.py',
    'test/property/test_shield.py',
    'test/exhaustive/test_automaton.py',
)
SCRIPTS = ('benchmarks/fuzz.py', 'benchmarks/mutants.py', 'benchmarks/planted.py')
NETWORKS = ('cologne1', 'grid4x4', 'arterial4x4', 'crossing', 'corridor')
FUZZ_REQUESTS = 5_000  # at each plan
TIMEOUT_S = 120.0  # a child that takes longer hangs
PROFILE = """
from pathlib import Path
from hypothesis import Phase, settings
import saferl_ros
assert Path(saferl_ros.__file__).is_relative_to(Path(__file__).parents[1]), saferl_ros.__file__
settings.register_profile(
    'mutants', derandomize=True, database=None, deadline=None,
    phases=[Phase.explicit, Phase.generate],  # found is found: no shrinking
)
settings.load_profile('mutants')
"""


@dataclass(frozen=True)
class Hunt:
    """How the hunt for one mutant ended."""

    name: str
    killer: str  # empty if it survived
    seconds: float

    @property
    def kind(self) -> str:
        """What sort of thing killed it."""
        return self.killer.split(':')[0]


@dataclass(frozen=True)
class Ground:
    """A junction to fuzz, with the program card that the sound code wrote for it."""

    plan: dict[str, object]  # as JSON, so that no mutant can have touched it
    card: MonitorCard


def mutated(mutant: Mutant) -> str:
    """
    Return the source with the fault in it.

    :raises SystemExit: if the text to replace does not occur exactly once.
    """
    source = (ROOT / 'saferl_ros' / mutant.file).read_text()
    n_found = source.count(mutant.old)
    if n_found != 1:
        sys.exit(
            f"mutant '{mutant.name}': its text stands {n_found} times in {mutant.file}, not once. "
            f'The source has moved on; bring benchmarks/planted.py after it:\n{mutant.old}'
        )
    return source.replace(mutant.old, mutant.new)


def grounds() -> list[Ground]:
    """Return the exhaustively walked plans and real ones, as derived and with no slack."""
    sys.path += [str(ROOT / 'test'), str(ROOT / 'test/exhaustive')]
    plans: list[SignalPlan] = list(importlib.import_module('test_automaton').PLANS.values())
    for name in NETWORKS:
        for plan in fuzz.plans_of(name)[:2]:
            plans += [plan, replace(plan, max_red_s=plan.round_s())]
    return [Ground(plan.to_json(), card_of(plan)) for plan in plans]


def fuzz_here(file: str) -> str:
    """
    Fuzz the package in the working folder; return what was found, or nothing.

    :param file: the one that was mutated, to make sure that it is what is imported.
    """
    from saferl_ros.shield import cabinet

    name = f'saferl_ros.{file.removesuffix(".py").replace("/", ".")}'
    found = Path(str(importlib.import_module(name).__file__))
    assert found.is_relative_to(Path.cwd()), found
    known: list[Ground] = pickle.loads(Path('grounds').read_bytes())
    for seed, ground in enumerate(known):
        cabinet.card_of = lambda _, card=ground.card: card  # type: ignore[attr-defined]
        try:
            sound = SignalPlan.from_json(dict(ground.plan))
            plan = with_clearances(  # again, for the mutants of the pairing
                sound,
                yellow_s=sound.min_yellow_s,
                red_s=sound.min_red_s,
                walk_clearance_s=sound.walk_clearance_s,
                least_red_s=min((s for row in sound.all_red_s for s in row if s), default=0.0),
            )
            tally = fuzz.fuzz_signal(plan, seed, FUZZ_REQUESTS)
        except Exception as error:  # noqa: BLE001 - a crash is a find
            return f'exception: {type(error).__name__}: {str(error)[:50]}'
        if tally.failures:
            return f'exception: {tally.failures[0][:60]}'
        if tally.faults:
            return f'monitor: {", ".join(list(tally.faults)[:2])}'  # in the order of time
        if tally.dead_ends:
            return 'dead end: no stage could keep every bound'
    return ''


def run_child(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str] | None:
    """Run Python in a copy of the package; ``None`` if it hangs."""
    places = [folder, folder / 'benchmarks', folder / 'test']
    environment = {
        **os.environ,
        'PYTHONPATH': os.pathsep.join(map(str, places)),
        'PYTHONHASHSEED': '0',
        'PYTHONDONTWRITEBYTECODE': '1',
    }
    try:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return None


def hunt(folder: Path, file: str, *, with_tests: bool) -> str:
    """Return what catches the fault in this copy of the package; nothing if nothing does."""
    child = run_child(['benchmarks/mutants.py', '--fuzz-here', file], folder)
    if child is None:
        return 'hang: in the fuzz'
    if child.returncode:
        raise RuntimeError(f'the fuzz itself failed:\n{child.stderr}')
    if child.stdout.strip() or not with_tests:
        return child.stdout.strip()
    child = run_child(['-m', 'pytest', '-x', '-q', '-p', 'no:cacheprovider', *TESTS], folder)
    if child is None:
        return 'hang: in the tests'
    if child.returncode == 0:
        return ''
    for line in child.stdout.splitlines():
        if line.startswith(('FAILED ', 'ERROR ')):
            return f'test: {line.split()[1].removeprefix("test/")}'
    raise RuntimeError(f'the tests did not run:\n{child.stdout}{child.stderr}')


def copy_sources(folder: Path) -> None:
    """Copy what a hunt needs; every mutant then gets a copy of this copy."""
    shutil.copytree(
        ROOT / 'saferl_ros',
        folder / 'saferl_ros',
        ignore=shutil.ignore_patterns('__pycache__'),
    )
    vocabulary = [f'test/{path.name}' for path in (ROOT / 'test').glob('*.py')]
    for name in ('pyproject.toml', *SCRIPTS, *vocabulary, *TESTS):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / 'sumo_networks').symlink_to(ROOT / 'sumo_networks')
    (folder / 'test/conftest.py').write_text(PROFILE)
    (folder / 'grounds').write_bytes(pickle.dumps(grounds()))


def hunt_all(mutants: list[Mutant], *, jobs: int, with_baseline: bool) -> Iterator[Hunt]:
    """
    Hunt every mutant in a copy of its own.

    :param with_baseline: first make sure that the tests find nothing where nothing is wrong.
    :yields: the hunts, in the order of the mutants.
    """
    sources = {mutant.name: mutated(mutant) for mutant in mutants}
    with tempfile.TemporaryDirectory(prefix='mutants-') as place:
        sound = Path(place) / 'sound'
        copy_sources(sound)
        found = hunt(sound, 'signals/sequencer.py', with_tests=with_baseline)
        if found:
            sys.exit(f'nothing is planted yet, and still there is a find: {found}')

        def run(number: int) -> Hunt:
            mutant, folder = mutants[number], Path(place) / str(number)
            shutil.copytree(sound, folder, symlinks=True)
            (folder / 'saferl_ros' / mutant.file).write_text(sources[mutant.name])
            start = time.monotonic()
            killer = hunt(folder, mutant.file, with_tests=True)
            shutil.rmtree(folder)
            return Hunt(mutant.name, killer, time.monotonic() - start)

        with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
            yield from pool.map(run, range(len(mutants)))


def main() -> int:
    """Print one row per mutant and the survivors; exit 1 if one of them is not explained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--jobs', type=int, default=2)
    parser.add_argument('--only', action='append', metavar='NAME', help='may be given repeatedly')
    parser.add_argument('--quick', action='store_true', help='a few, for the test suite')
    parser.add_argument('--fuzz-here', metavar='FILE', help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fuzz_here:
        print(fuzz_here(options.fuzz_here))
        return 0
    wanted = options.only or (QUICK if options.quick else [mutant.name for mutant in MUTANTS])
    mutants = [mutant for mutant in MUTANTS if mutant.name in wanted]
    if unknown := {*wanted, *EXPLAINED} - {mutant.name for mutant in MUTANTS}:
        parser.error(f'no such mutant: {", ".join(sorted(unknown))}')
    if options.quick:
        for mutant in MUTANTS:
            mutated(mutant)  # all of them must still have their place in the source
    start = time.monotonic()
    hunts = []
    for done in hunt_all(mutants, jobs=options.jobs, with_baseline=not options.quick):
        print(f'{done.name:<52}{done.seconds:>5.1f} s  {done.killer or "SURVIVED"}', flush=True)
        hunts.append(done)
    kinds = Counter(done.kind for done in hunts if done.killer)
    print(
        f'\n{len(hunts)} mutants, {kinds.total()} killed ('
        + ', '.join(f'{n} by {kind}' for kind, n in kinds.most_common())
        + f') in {time.monotonic() - start:.0f} s'
    )
    survivors = {done.name for done in hunts if not done.killer}
    for name in sorted(survivors):
        print(f'survived: {name}: {EXPLAINED.get(name, "NOT EXPLAINED")}')
    revived = {done.name for done in hunts if done.killer and done.name in EXPLAINED}
    for name in sorted(revived):
        print(f'explained as invisible, and yet it was seen: {name}')
    return int(bool(survivors - set(EXPLAINED) or revived))


if __name__ == '__main__':
    sys.exit(main())
