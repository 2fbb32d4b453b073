"""
Between any policy and any lamp: proposals are judged, and the fixed-time program takes over.

Pure Python; needs ``signals`` alone, so the same objects guard simulation, evaluation and street.
"""

from saferl_ros.shield.cabinet import Cabinet, CabinetMode, CabinetTick
from saferl_ros.shield.decision import Proposal, ShieldDecision, ShieldReason
from saferl_ros.shield.detector_watch import DetectorFault, DetectorWatch
from saferl_ros.shield.fallback import FixedTimeProgram
from saferl_ros.shield.shield import ObservingAlarm, Shield, ShieldLimits

__all__ = [
    'Cabinet',
    'CabinetMode',
    'CabinetTick',
    'DetectorFault',
    'DetectorWatch',
    'FixedTimeProgram',
    'ObservingAlarm',
    'Proposal',
    'Shield',
    'ShieldDecision',
    'ShieldLimits',
    'ShieldReason',
]
