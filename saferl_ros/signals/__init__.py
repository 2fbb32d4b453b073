"""
The safety core: what a junction may show, and when. Pure Python.

``SignalPlan`` says what is allowed, ``StageSequencer`` is the only code that emits lamps that
anybody asks for, and ``ConflictMonitor`` reads those lamps without sharing a line with the
sequencer: it knows only the ``MonitorCard`` that ``card_of`` writes from the plan.
"""

from saferl_ros.signals.monitor import ConflictMonitor, Fault, MonitorCard
from saferl_ros.signals.monitor_card import card_of, program_card_of
from saferl_ros.signals.plan import Link, ProgramInterval, SignalPlan, Stage
from saferl_ros.signals.sequencer import RequestVerdict, StageSequencer

__all__ = [
    'ConflictMonitor',
    'Fault',
    'Link',
    'MonitorCard',
    'ProgramInterval',
    'RequestVerdict',
    'SignalPlan',
    'Stage',
    'StageSequencer',
    'card_of',
    'program_card_of',
]
