"""What an engineer may state of a junction that its network does not: bounds and longer times."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from saferl_ros.errors import ConfigError
from saferl_ros.signals.clearance import WALKING_MPS
from saferl_ros.sumo.network import Network
from saferl_ros.yaml_file import CONFIG

DEFAULT_MAX_GREEN_S = 60.0
WALK_KEYS = frozenset({'walk_s', 'walking_mps', 'pedestrians'})  # nothing without a crossing


class PlanLimits(BaseModel):
    """
    Bounds for what the network does not state; the defaults are ordinary practice.

    Greens that no plan ever showed are where a learned policy is most likely to be wrong, so the
    maximum is near what plans show: a stage's stated ``maxDur``, else 60 s, and never less than
    the green it has in the program.

    A stated clearance can only be longer than the computed one (``sumo.legal`` refuses a shorter
    one): who knows of lower speeds or shorter ways corrects the network.
    """

    model_config = CONFIG

    min_green_s: float = Field(default=5.0, ge=3)
    """Shortest green [s]."""
    max_green_s: float | None = Field(default=None, gt=0)
    """
    Longest green of every stage [s], no shorter than its green in the program; null: a stage's
    stated maxDur, else 60, or its green in the program where that is longer.
    """
    max_red_s: float = Field(default=150.0, gt=0)
    """Longest red of anybody who waits [s]; raised where serving everybody takes longer."""
    yellow_s: dict[int, float] = {}
    """By link, longer than computed [s]."""
    all_red_s: dict[int, float] = {}
    """By link, longer than computed [s]."""
    walk_s: float | None = Field(default=None, ge=7)
    """Length of the walk signal [s] (MUTCD 2009, section 4E.06); null: as computed."""
    walking_mps: float = Field(default=WALKING_MPS, gt=0.3, le=WALKING_MPS)
    """Speed that pedestrian clearance is computed with [m/s]."""
    pedestrians: Literal['concurrent', 'exclusive'] = 'concurrent'
    """exclusive: no turn beside a walk."""


DEFAULT_LIMITS = PlanLimits()


class SignalSettings(BaseModel):
    """The settings of a network's junctions, from YAML: ``junctions: {ID: {min_green_s: 8}}``."""

    model_config = ConfigDict(**CONFIG, coerce_numbers_to_str=True)

    default: PlanLimits = DEFAULT_LIMITS
    """Of every junction that is not named."""
    junctions: dict[str, PlanLimits] = {}
    """Of the junctions that are named; they take nothing from the default."""

    def of(self, junction_id: str) -> PlanLimits:
        """Return what holds for one junction."""
        return self.junctions.get(junction_id, self.default)

    def check_against(self, network: Network) -> None:
        """
        Refuse settings that would silently not be used.

        :raises ConfigError: if they name a signal that the network does not have, or give times of
            walking to one that nobody walks over.
        """
        known = [*network.programs]
        for name, limits in self.junctions.items():
            if name not in known:
                raise ConfigError(
                    f"the settings name junction '{name}', which is no signal of "
                    f"'{network.path.name}'; it has: {', '.join(known[:8])}"
                    f'{" …" if len(known) > 8 else ""}'
                )
            unused = sorted(WALK_KEYS & limits.model_fields_set)
            if unused and not any(c.is_crossing for c in network.signalised(name)):
                raise ConfigError(
                    f"the settings give junction '{name}' {' and '.join(unused)}, but it has no "
                    "signalled pedestrian crossing; leave that out, or add crossings with SUMO's "
                    "netconvert ('--crossings.guess')"
                )


NO_SETTINGS = SignalSettings()
