"""Why a policy cannot decide on what a street says; any bridge may be the one that says it."""

from __future__ import annotations

from typing import Any, Protocol

from saferl_ros.bag.street import READING_ARRAYS
from saferl_ros.observation import ObservationSpec
from saferl_ros.signals import SignalPlan


class Learned(Protocol):
    """What a loaded bundle offers."""

    manifest: Any  # a ``Manifest``
    plan: SignalPlan
    spec: ObservationSpec


def misfit(bundle: Learned, state: Any, readings: Any) -> str:
    """
    Return why the policy cannot decide for this junction, in words; empty if it can.

    :param bundle: of the policy.
    :param state: ``saferl_msgs/SignalState``.
    :param readings: ``saferl_msgs/DetectorReadings``, those of that state.
    """
    return _other_street(bundle, state, readings) or _malformed(bundle, state, readings)


def _other_street(bundle: Learned, state: Any, readings: Any) -> str:
    manifest = bundle.manifest
    for what, ours, theirs in (
        ('junction', manifest.junction_id, state.junction_id),
        ('signal plan', manifest.plan_fingerprint, state.plan_fingerprint),
        ('observation', manifest.spec_fingerprint, readings.spec_fingerprint),
    ):
        if ours != theirs:
            return (
                f'the bundle is for {what} {ours}, the street has {theirs}; give the bridge the '
                'observation, clearances and signal settings that it was learned with, or train '
                'a bundle for this junction'
            )
    return ''


def _malformed(bundle: Learned, state: Any, readings: Any) -> str:
    plan, spec = bundle.plan, bundle.spec
    if not state.run_id:
        return 'signal_state has an empty run_id; a bridge gives each of its starts another one'
    arrays = [
        ('signal_state.legal_stages', state.legal_stages, plan.n_stages, 'stages'),
        ('signal_state.since_served_s', state.since_served_s, plan.n_stages, 'stages'),
    ]
    for name in READING_ARRAYS:
        is_advance = name.startswith('advance')
        n, of = (len(spec.approaches), 'approaches') if is_advance else (len(spec.lanes), 'lanes')
        arrays.append((f'detectors.{name}', getattr(readings, name), n, of))
    for name, values, n, of in arrays:
        if len(values) != n:
            return f'{name} has {len(values)} values, the bundle has {n} {of}'
    if not 0 <= state.stage < plan.n_stages:
        return f'signal_state.stage is {state.stage}, the bundle has {plan.n_stages} stages'
    if not any(state.legal_stages):
        return 'signal_state.legal_stages has no legal stage, not even the one that shows'
    return ''
