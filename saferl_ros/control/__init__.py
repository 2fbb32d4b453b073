"""Controllers: given what is seen at a decision, which stage to show next."""

from saferl_ros.control.controller import Controller, Decision, Moment
from saferl_ros.control.family import FamilyConfig, FixedTimeFamily, make_slots, PLAN_FAMILIES
from saferl_ros.control.max_pressure import MaxPressure, MaxPressureConfig
from saferl_ros.control.shielded import Shielded

__all__ = [
    'PLAN_FAMILIES',
    'Controller',
    'Decision',
    'FamilyConfig',
    'FixedTimeFamily',
    'MaxPressure',
    'MaxPressureConfig',
    'Moment',
    'Shielded',
    'make_slots',
]
