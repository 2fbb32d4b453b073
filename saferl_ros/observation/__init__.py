"""
What a policy may see: readings → feature vector, the same function in simulation and street.

Pure: no SUMO, no torch, no ROS.
"""

from saferl_ros.observation.features import FeatureVector, SignalView
from saferl_ros.observation.readings import DetectorReadings
from saferl_ros.observation.spec import (
    Approach,
    Feature,
    LaneDetector,
    make_spec,
    OBSERVATION_KINDS,
    ObservationSpec,
    STREET_KINDS,
)

__all__ = [
    'OBSERVATION_KINDS',
    'STREET_KINDS',
    'Approach',
    'DetectorReadings',
    'Feature',
    'FeatureVector',
    'LaneDetector',
    'ObservationSpec',
    'SignalView',
    'make_spec',
]
