"""
The exceptions of this package.

::

    SaferlError
    ├── UsageError            a wrong option or an output that cannot be written
    │   └── MissingExtraError an optional library is not installed
    ├── ConfigError           a YAML file with an unknown key or a wrong type
    ├── ScenarioError         a network, route file or junction that cannot be used
    ├── SignalPlanError       a signal plan that contradicts itself or breaks a rule
    ├── SimulationError       SUMO refused to start or died
    ├── DatasetError          a record that is broken, foreign or too poor
    ├── BundleError           a policy bundle that does not fully match
    └── BagError              a recording that cannot be written or read

Every message names the thing, the value, the allowed range and the next step. The command line
turns any of them into one line on stderr and exit code 2.
"""

from __future__ import annotations


class SaferlError(Exception):
    """Anything this package refuses to do, with the reason in words."""


class UsageError(SaferlError, ValueError):
    """A wrong option, or an output path that cannot be written."""


class MissingExtraError(UsageError):
    """
    An optional library is not installed.

    :param library: the module that could not be imported.
    :param extra: the extra of this package that installs it.
    """

    def __init__(self, library: str, extra: str) -> None:
        first = 'pip install -c constraints.txt torch, then ' if extra == 'train' else ''
        remedy = (
            f'it comes with the extra [{extra}]; in the folder of the source: {first}'
            f"pip install -c constraints.txt '.[{extra}]'"
        )
        if library == 'saferl_msgs':  # no pip has it
            remedy = (
                "build it from this repository's folder saferl_msgs: 'make ros', or colcon build "
                'in a ROS 2 workspace'
            )
        super().__init__(f"'{library}' is not installed; {remedy}")
        self.library = library
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return type(self), (self.library, self.extra)  # it travels between processes


class ConfigError(SaferlError, ValueError):
    """A configuration file with an unknown key, a wrong type or a value out of range."""


class ScenarioError(SaferlError, ValueError):
    """A network, route file or junction that cannot be used."""


class SignalPlanError(SaferlError, ValueError):
    """A signal plan that contradicts itself or breaks a rule."""


class SimulationError(SaferlError, RuntimeError):
    """SUMO refused to start or ended before its time."""


class DatasetError(SaferlError, ValueError):
    """A record that is broken, foreign or too poor to use."""


class BundleError(SaferlError, ValueError):
    """A policy bundle that does not fully match the junction or its own manifest."""


class BagError(SaferlError, ValueError):
    """A recording of ROS messages that cannot be written or read."""
