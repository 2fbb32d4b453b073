"""The configuration of a whole run."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from saferl_ros.env.junction import derive_junctions, Junction
from saferl_ros.errors import ConfigError
from saferl_ros.evaluate.gate import GateConfig
from saferl_ros.evaluate.judge import EvaluateConfig
from saferl_ros.record.recorder import RecordConfig
from saferl_ros.scenario.demand import count_departures
from saferl_ros.scenario.spec import load_scenario
from saferl_ros.sumo.settings import NO_SETTINGS, SignalSettings
from saferl_ros.train.config import TrainConfig
from saferl_ros.yaml_file import CONFIG, read_yaml

Part = TypeVar('Part', bound=BaseModel)


class RunConfig(BaseModel):
    """Everything that decides a run, from one YAML file."""

    model_config = ConfigDict(**CONFIG, coerce_numbers_to_str=True)

    name: str = Field(pattern=r'^[A-Za-z0-9._-]+$')
    """letters, digits and . _ -; results go to runs/<name>."""
    scenario: str
    """Built-in name ('saferl scenarios' lists them), .sumocfg, or .net.xml with routes."""
    routes: tuple[Path, ...] = ()
    """Route files of a .net.xml."""
    junction: str | None = None
    """The only signal to control; null: all of them."""
    begin_s: float | None = Field(default=None, ge=0)
    """When an episode begins [s]; null: as the scenario says."""
    horizon_s: float | None = Field(default=None, gt=0)
    """Length of an episode [s]; null: as the scenario says."""
    clearance: Literal['legal', 'net', 'resco'] = 'legal'
    """By the book, as in the network, or yellow only (for comparison with published figures)."""
    observation: Literal['detector', 'neighbours', 'ideal', 'sumo_rl'] = 'detector'
    """What policies see; the README says what each is."""
    signals: SignalSettings = NO_SETTINGS
    """What an engineer states of the signals."""
    record: RecordConfig = RecordConfig()
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    gate: GateConfig = GateConfig()

    def load_junctions(self) -> list[Junction]:
        """
        Return the junctions of this run.

        :raises ScenarioError: if it cannot be used, or nothing departs within its time.
        """
        scenario = load_scenario(
            self.scenario,
            routes=self.routes,
            junction_id=self.junction,
            begin_s=self.begin_s,
            horizon_s=self.horizon_s,
        )
        count_departures(scenario)
        return derive_junctions(
            scenario,
            clearance=self.clearance,
            observation=self.observation,
            settings=self.signals,
        )


def read_part(path: Path | None, model: type[Part], key: str) -> Part:
    """
    Read the file of one part of a run; without a file the part is as by default.

    :param key: what a whole run's file has this part under.
    :raises ConfigError: naming the key, its value and what is allowed; or if it is a whole run's.
    """
    if path is None:
        return model()
    try:
        return read_yaml(path, model)
    except ConfigError as error:
        try:
            read_yaml(path, RunConfig)
        except ConfigError:  # not a whole run's either: the first error is the one to tell
            raise error from None
        raise ConfigError(
            f"configuration '{path}' is that of a whole run, which 'saferl run {path}' takes; for "
            f"this command write what is under '{key}' into a file of its own"
        ) from None
