"""Which network, which demand, which hour."""

from saferl_ros.scenario.demand import DemandVariation, Split, Surge, write_demand
from saferl_ros.scenario.spec import load_scenario, Scenario

__all__ = ['DemandVariation', 'Scenario', 'Split', 'Surge', 'load_scenario', 'write_demand']
