"""One controller on one demand: the unit of work of tuning and judging."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
import hashlib
from itertools import chain
import json
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

import saferl_ros
from saferl_ros.bundle.manifest import Manifest, sha256
from saferl_ros.control.controller import Controller
from saferl_ros.control.coordinated import CoordinatedPlan
from saferl_ros.control.family import FamilyConfig, FixedTimeFamily
from saferl_ros.control.max_pressure import MaxPressure, MaxPressureConfig
from saferl_ros.control.rollout import Drive, drive, EpisodeResult, finish
from saferl_ros.control.shielded import Shielded
from saferl_ros.env.disturbance import Disturbance
from saferl_ros.env.junction import Junction
from saferl_ros.env.network_simulation import NetworkSimulation, prepare_to_simulate
from saferl_ros.evaluate.kept import KeptEpisodes
from saferl_ros.isolation import run_isolated
from saferl_ros.observation import ObservationSpec
from saferl_ros.scenario import DemandVariation
from saferl_ros.shield import Shield
from saferl_ros.shield.guard import Guard
from saferl_ros.signals import ProgramInterval, SignalPlan
from saferl_ros.sumo.actuated import actuated_xml, ActuatedConfig
from saferl_ros.sumo.home import sumo_version
from saferl_ros.sumo.simulation import SimulationOptions

Progress = Callable[[int, int], None]
ROOMS_PLAYED = (  # whose code an episode runs through
    *('bundle', 'control', 'env', 'observation', 'scenario', 'shield', 'signals', 'sumo'),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """
    A controller by description, so that it can be built in another process.

    One field says which; with none the network's own program runs as it stands.
    """

    name: str
    programs: dict[str, tuple[ProgramInterval, ...]] | None = None  # fixed plans by junction
    family: FamilyConfig | None = None
    max_pressure: MaxPressureConfig | None = None
    actuated: ActuatedConfig | None = None
    bundles: dict[str, Path] | None = None  # by junction
    is_guarded: bool = True  # whether a bundle's guard may hand over to the fallback
    tuned: dict[str, float] | None = None  # how the fixed plans were made, for people

    @property
    def is_sumo_program(self) -> bool:
        """Whether SUMO itself drives the lamps."""
        return self.actuated is not None or (
            self.programs is None
            and self.family is None
            and self.max_pressure is None
            and self.bundles is None
        )

    def build(
        self, plan: SignalPlan, spec: ObservationSpec, seed: int, *, has_neighbours: bool = False
    ) -> Controller:
        """
        Return the controller; only for those that act through the sequencer.

        :param has_neighbours: fixed plans keep their offsets to the other junctions.
        """
        rng = np.random.default_rng([seed, 11])
        if self.programs is not None:
            own = replace(plan, program=self.programs[plan.junction_id])
            if has_neighbours:
                return CoordinatedPlan(own)
            return FixedTimeFamily(own, FamilyConfig(plans='net'), rng)
        if self.family is not None:
            return FixedTimeFamily(plan, self.family, rng)
        if self.max_pressure is not None:
            return MaxPressure(plan, self.max_pressure, spec)
        assert self.bundles is not None
        from saferl_ros.bundle.load import load_bundle

        bundle = load_bundle(self.bundles[plan.junction_id])
        bundle.require(plan, spec)
        model = bundle.guard_model if self.is_guarded else None
        guard = None if model is None else Guard(model)
        return Shielded(bundle, Shield(plan, guard=guard), guard)


_CONTESTANT = TypeAdapter(Contestant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A contestant on a demand; it controls every junction that is listed."""

    junctions: tuple[Junction, ...]
    contestant: Contestant
    demand: DemandVariation
    keep_trace: bool = False
    measure_all: bool = False  # CO2 and near misses too
    disturbance: Disturbance | None = None

    def key(self) -> str:
        """Return a digest of everything that the result follows from, names left out."""
        scenario, bundles = self.junctions[0].scenario, self.contestant.bundles or {}
        files = (scenario.net_file, *scenario.route_files, *scenario.additional_files)
        described = {
            'versions': played_by(),
            'scenario': [scenario.to_json(), [_content(path) for path in files]],
            'junctions': [[j.plan.fingerprint(), j.spec.fingerprint()] for j in self.junctions],
            'contestant': _CONTESTANT.dump_python(
                self.contestant, mode='json', exclude={'name', 'tuned', 'bundles'}
            ),
            'bundles': {of: Manifest.read(folder).files for of, folder in bundles.items()},
            'demand': self.demand.to_json(),
            'disturbance': self.disturbance and asdict(self.disturbance),
            'measured': [self.keep_trace, self.measure_all],
        }
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def played_by() -> list[str]:
    """Return a digest of the code that an episode runs through, and SUMO's version."""
    return [_code(), sumo_version()]


_content = cache(sha256)


@cache
def _code() -> str:
    """Return a digest of the code that an episode runs through."""
    package = Path(saferl_ros.__file__).parent
    rooms = [sorted((package / room).rglob('*.py')) for room in ROOMS_PLAYED]
    return digest_of_code([Path(__file__), package / 'naming.py', *chain.from_iterable(rooms)])


def digest_of_code(files: Iterable[Path]) -> str:
    """Return the SHA-256 over files of this package."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def prepare_to_play() -> None:
    """Import what matches need, in the process that they will be forked from."""
    prepare_to_simulate()


def play(match: Match) -> EpisodeResult:
    """Run one episode in this process and return its result."""
    junctions, contestant = match.junctions, match.contestant
    options = SimulationOptions(
        outputs=True, emissions=match.measure_all, conflicts=match.measure_all
    )
    if contestant.actuated is not None:
        for n, junction in enumerate(junctions):
            text = actuated_xml(junction.plan, contestant.actuated)
            options.additional[f'actuated_{n}.add.xml'] = text
    simulation = NetworkSimulation(
        junctions,
        match.demand,
        options,
        reward=None,
        sample_traffic=True,
        disturbance=match.disturbance,
    )
    try:
        if contestant.is_sumo_program:
            simulation.start(is_controlled=False)
            simulation.run_own_program()
            return finish(simulation, Drive(), keep_trace=match.keep_trace)
        controllers = [
            contestant.build(
                junction.plan,
                junction.spec,
                match.demand.seed * 1000 + n,
                has_neighbours=junction.has_neighbours,
            )
            for n, junction in enumerate(junctions)
        ]
        simulation.start()
        done = drive(simulation, controllers)
        result = finish(simulation, done, keep_trace=match.keep_trace)
        shielded = [c for c in controllers if isinstance(c, Shielded)]
        for controller in shielded:
            if controller.policy_error is not None:
                raise controller.policy_error  # the shield can live with it; a score cannot
        if shielded:
            n_decisions = sum(c.n_decisions for c in shielded)
            result = replace(
                result,
                shield_vetoes=done.vetoes + sum(c.refusals.total() for c in shielded),
                fallback_share=sum(c.n_fallbacks for c in shielded) / max(1, n_decisions),
            )
        return result
    finally:
        simulation.close()


def play_matches(
    matches: Sequence[Match],
    *,
    jobs: int,
    kept: KeptEpisodes | None = None,
    progress: Progress = lambda done, total: None,
) -> list[EpisodeResult]:
    """
    Play each match in a fresh process of its own and return the results, in the same order.

    :param kept: what was played before is taken from it, and what is played now is added to it.
    :param progress: called with (episodes done, episodes in all).
    """
    _content.cache_clear()  # a file may have been edited since
    keys = [match.key() for match in matches] if kept else []
    results: dict[int, EpisodeResult] = {}
    if kept:
        results = {n: found for n, key in enumerate(keys) if (found := kept.get(key))}
    todo = [n for n in range(len(matches)) if n not in results]
    progress(len(results), len(matches))
    missing = [matches[n] for n in todo]
    for index, result in run_isolated(play, missing, jobs=jobs, prepare=prepare_to_play):
        n = todo[index]
        results[n] = result
        if kept:
            match = matches[n]
            kept.add(keys[n], result, match.contestant.name, match.demand.to_json())
        progress(len(results), len(matches))
    return [results[n] for n in range(len(matches))]


class SharedProgress:
    """
    Lets several rounds of episodes, played one after the other, count up together.

    :param progress: called with (episodes done in all rounds, ``total``).
    """

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._n_before = 0  # of the rounds that are over

    def __call__(self, done: int, of_round: int) -> None:
        """Report what the running round has done."""
        self._progress(self._n_before + done, self._total)
        if done == of_round:
            self._n_before += done


def play_all(
    junctions: Sequence[Junction],
    contestants: Sequence[Contestant],
    demands: Sequence[DemandVariation],
    *,
    jobs: int,
    kept: KeptEpisodes | None = None,
    progress: Progress = lambda done, total: None,
) -> list[list[float]]:
    """
    Return the delay of each contestant (rows) on each demand [s/veh], each in a fresh process.

    :param kept: see ``play_matches``.
    :param progress: called with (episodes done, episodes in all).
    """
    matches = [
        Match(junctions=tuple(junctions), contestant=contestant, demand=demand)
        for contestant in contestants
        for demand in demands
    ]
    results = iter(play_matches(matches, jobs=jobs, kept=kept, progress=progress))
    return [[next(results).trips.delay_s for _ in demands] for _ in contestants]
