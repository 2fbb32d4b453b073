"""One running SUMO: started, stepped and closed here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
import os
from pathlib import Path
import sys
import tempfile
from typing import Any, ClassVar

from saferl_ros.errors import SimulationError
from saferl_ros.scenario.demand import count_departures, DemandVariation, write_demand
from saferl_ros.scenario.spec import Scenario
from saferl_ros.sumo.home import load_library, sumo_binary
from saferl_ros.sumo.quiet_files import without_outputs

CONFLICT_SHARE = 0.1  # of the vehicles that watch: all would take five times longer
TTC_S = 1.5  # a lower time to collision is a conflict: the usual threshold
PET_S = 1.0  # a lower post-encroachment time too


@dataclass(slots=True, kw_only=True)
class SimulationOptions:
    """How to run SUMO; the defaults are the fast, silent way."""

    backend: str = 'libsumo'  # or traci: another process, needed for a GUI
    gui: bool = False  # show sumo-gui; implies traci
    attach_port: int | None = None  # connect to a SUMO that already runs there
    outputs: bool = False  # write trip and statistics files, for metrics
    emissions: bool = False  # the trips tell their CO2; costs time
    conflicts: bool = False  # also let some vehicles note how near others came, see CONFLICT_SHARE
    extra: tuple[str, ...] = ()  # further SUMO options
    additional: dict[str, str] = field(default_factory=dict)  # name to text of additional files


@contextmanager
def _caught_stderr(lines: list[str]) -> Iterator[None]:
    """Take the lines that SUMO's C++ writes to stderr, where Python cannot see them."""
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(original, 2)
            os.close(original)
            caught.seek(0)
            lines += caught.read().decode(errors='replace').splitlines()


class Simulation:
    """
    A SUMO simulation of one scenario on one demand.

    libsumo holds one simulation per process, and a second one after it is not the same as a first
    (measured: same file, same seed, other result); so one process runs one episode, see
    ``isolation``. ``api`` is the libsumo module or a TraCI connection: the same calls.

    :param scenario: network and time.
    :param demand: the demand to run; ``None`` runs the route files as they are with seed 0.
    :param options: how to run it.
    :raises SimulationError: if SUMO does not start.
    """

    _n_connections: ClassVar[int] = 0

    def __init__(
        self,
        scenario: Scenario,
        demand: DemandVariation | None = None,
        options: SimulationOptions | None = None,
    ) -> None:
        self.scenario = scenario
        self.demand = demand
        self.options = options or SimulationOptions()
        self._folder = tempfile.TemporaryDirectory(prefix='saferl_')
        self.api: Any = None
        count_departures(scenario)

    def start(self) -> None:
        """Write the input files and start SUMO."""
        options = self.options
        if options.attach_port is None:
            command = self._command()
        use_traci = options.backend == 'traci' or options.gui or options.attach_port is not None
        library = load_library('traci' if use_traci else 'libsumo')
        said: list[str] = []
        try:
            if use_traci:
                traci = library
                Simulation._n_connections += 1
                label = f'saferl{Simulation._n_connections}'
                if options.attach_port is not None:
                    traci.init(options.attach_port, label=label)
                else:
                    traci.start(command, label=label, numRetries=20)
                self.api = traci.getConnection(label)
            else:
                with _caught_stderr(said):
                    library.start(command)
                self.api = library
        except Exception as error:  # libsumo and traci raise types of their own
            self._folder.cleanup()
            raise SimulationError(
                f"SUMO did not start on scenario '{self.scenario.name}': "
                f"{' '.join([*said, str(error)])}; run 'sumo' on its files by hand to see more"
            ) from error
        sys.stderr.writelines(f'{line}\n' for line in said)

    @property
    def folder(self) -> Path:
        """The temporary folder of this run."""
        return Path(self._folder.name)

    @property
    def tripinfo_file(self) -> Path:
        """SUMO's trip output, whole once the simulation is closed."""
        return self.folder / 'tripinfo.xml'

    @property
    def statistics_file(self) -> Path:
        """SUMO's statistics output, whole once the simulation is closed."""
        return self.folder / 'statistics.xml'

    @property
    def collision_file(self) -> Path:
        """SUMO's list of collisions, whole once the simulation is closed."""
        return self.folder / 'collisions.xml'

    @property
    def conflict_file(self) -> Path:
        """SUMO's surrogate safety output, whole once the simulation is closed."""
        return self.folder / 'ssm.xml'

    def _command(self) -> list[str]:
        scenario, options = self.scenario, self.options
        additional = [
            str(without_outputs(path, self.folder)) for path in scenario.additional_files
        ]
        for name, text in options.additional.items():
            path = self.folder / name
            path.write_text(text, encoding='utf-8')
            additional.append(str(path))
        routes = [str(path) for path in scenario.route_files]
        if self.demand is not None and not self.demand.is_nominal:
            varied = self.folder / 'demand.rou.xml'
            write_demand(scenario, self.demand, varied)
            routes = [str(varied)]
        command = [
            *(sumo_binary('sumo-gui' if options.gui else 'sumo'), '-n', str(scenario.net_file)),
            *('-r', ','.join(routes)),
            *('-b', f'{scenario.begin_s:.12g}', '-e', f'{scenario.end_s:.12g}'),  # when flows end
            *('--step-length', f'{scenario.step_s:g}'),
            *('--time-to-teleport', f'{scenario.time_to_teleport_s:g}'),
            *('--seed', str(self.demand.sumo_seed if self.demand else 0)),
            *('--no-warnings', '--no-step-log', '--duration-log.disable'),
            *scenario.command_options(),
        ]
        if additional:
            command += ['-a', ','.join(additional)]
        if options.outputs:
            command += [
                *('--tripinfo-output', str(self.tripinfo_file)),
                '--tripinfo-output.write-unfinished',
                '--tripinfo-output.write-undeparted',
                *('--statistic-output', str(self.statistics_file)),
                *('--collision-output', str(self.collision_file)),
            ]
        if options.emissions:
            command += ['--device.emissions.probability', '1']
        if options.conflicts:
            command += [
                *('--device.ssm.probability', f'{CONFLICT_SHARE:g}'),
                *('--device.ssm.file', str(self.conflict_file)),
                *('--device.ssm.measures', 'TTC PET'),
                *('--device.ssm.thresholds', f'{TTC_S:g} {PET_S:g}'),
                *('--device.ssm.trajectories', 'false'),
            ]
        if options.gui:
            command += ['--start', '--quit-on-end']
        return command + list(options.extra)

    @property
    def time_s(self) -> float:
        """Simulated time [s]."""
        return float(self.api.simulation.getTime())

    def safety_counts(self) -> tuple[int, int, int]:
        """Return emergency brakings, collisions and teleports since the start."""
        get = self.api.simulation.getParameter
        return (
            int(float(get('', 'stats.safety.emergencyBraking'))),
            int(float(get('', 'stats.safety.collisions'))),
            int(float(get('', 'stats.teleports.total'))),
        )

    def close(self) -> None:
        """End SUMO; its output files are complete afterwards. May be called twice."""
        if self.api is not None:
            self.api.close()
            self.api = None

    def cleanup(self) -> None:
        """Close and remove the temporary folder."""
        self.close()
        self._folder.cleanup()
