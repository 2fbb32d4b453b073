"""
The safety core: what a junction may show, and when. Pure Python.

``SignalPlan`` says what is allowed, ``StageSequencer`` is the only code that emits lamps, and
``ConflictMonitor`` reads those lamps without sharing a line with the sequencer.
"""

from saferl_ros.signals.monitor import ConflictMonitor, Fault
from saferl_ros.signals.plan import Link, ProgramInterval, SignalPlan, Stage
from saferl_ros.signals.sequencer import RequestVerdict, StageSequencer

__all__ = [
    'ConflictMonitor',
    'Fault',
    'Link',
    'ProgramInterval',
    'RequestVerdict',
    'SignalPlan',
    'Stage',
    'StageSequencer',
]
