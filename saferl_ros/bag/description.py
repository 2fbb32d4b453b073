"""What a junction is, as JSON: what the bridge says once to everybody."""

from __future__ import annotations

from dataclasses import dataclass
import json
from typing import Any, Self

from saferl_ros.errors import BundleError, SaferlError
from saferl_ros.observation import ObservationSpec
from saferl_ros.signals import SignalPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class JunctionDescription:
    """Signal plan and observation of one junction, with the scenario it belongs to."""

    plan: SignalPlan
    spec: ObservationSpec
    scenario: dict[str, Any]  # as ``Scenario.to_json``; a street has its own name and times

    @property
    def junction_id(self) -> str:
        """The junction's id as in the network."""
        return self.plan.junction_id

    def to_text(self) -> str:
        """Return the description as text; ``from_text`` is its inverse."""
        return json.dumps(
            {'plan': self.plan.to_json(), 'spec': self.spec.to_json(), 'scenario': self.scenario}
        )

    @classmethod
    def from_text(cls, text: str) -> Self:
        """
        Return the description that ``to_text`` wrote.

        :raises BundleError: if it is none.
        """
        try:
            data = json.loads(text)
            return cls(
                plan=SignalPlan.from_json(data['plan']),
                spec=ObservationSpec.from_json(data['spec']),
                scenario=dict(data['scenario']),
            )
        except (KeyError, TypeError, ValueError, SaferlError) as error:
            raise BundleError(f'not a description of a junction: {error}') from error
