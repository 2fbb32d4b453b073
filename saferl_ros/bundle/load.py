"""Loads a bundle with onnxruntime alone: no torch, no SUMO, no ROS."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from saferl_ros.bundle.manifest import GUARD_NAME, Manifest, POLICY_NAME, sha256
from saferl_ros.errors import BundleError
from saferl_ros.observation import ObservationSpec
from saferl_ros.shield.guard import GuardModel
from saferl_ros.signals import SignalPlan

N_NAMED = 3  # differences that a refusal names
LISTS = (list, tuple)


class Bundle:
    """
    A loaded policy with the junction it was learned for.

    :param folder: where it came from.
    :param manifest: what it says of itself.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        import onnxruntime

        self.folder = folder
        self.manifest = manifest
        self.plan = SignalPlan.from_json(manifest.plan)
        self.spec = ObservationSpec.from_json(manifest.spec)
        self.guard_model = _read_guard(folder, manifest, self.spec.size)  # None if it has none
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(folder / POLICY_NAME), options, providers=['CPUExecutionProvider']
            )
        except Exception as error:  # onnxruntime raises types of its own
            raise BundleError(
                f"bundle '{folder}': {POLICY_NAME} cannot be loaded: {error}"
            ) from error
        shapes = self._session.get_inputs()[0].shape, self._session.get_outputs()[0].shape
        if shapes[0][1] != self.spec.size or shapes[1][1] != self.plan.n_stages:
            raise BundleError(
                f"bundle '{folder}': the policy maps {shapes[0][1]} features to {shapes[1][1]} "
                f'stages, its manifest says {self.spec.size} and {self.plan.n_stages}'
            )

    def scores(self, observation: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """
        Return one score per stage, higher is better.

        :param observation: shape ``(spec.size,)``.
        :returns: shape ``(n_stages,)``.
        """
        feed = {'observation': observation[None].astype(np.float32)}
        scores: npt.NDArray[np.float32] = self._session.run(None, feed)[0][0]
        return scores

    def decide(self, observation: npt.NDArray[np.float32], legal: npt.NDArray[np.bool_]) -> int:
        """
        Return the legal stage with the highest score.

        :param observation: shape ``(spec.size,)``.
        :param legal: which stages may be requested, shape ``(n_stages,)``; at least one.
        """
        return int(np.argmax(np.where(legal, self.scores(observation), -np.inf)))

    def require(self, plan: SignalPlan, spec: ObservationSpec) -> None:
        """
        Refuse to serve another junction than the one learned.

        :raises BundleError: if signal plan or observation differ, naming the first differences.
        """
        for what, ours, theirs in (
            ('signal plan', self.plan, plan),
            ('observation', self.spec, spec),
        ):
            if ours.fingerprint() == theirs.fingerprint():
                continue
            found = list(_unlike(ours.to_json(), theirs.to_json()))
            more = f'; and {len(found) - N_NAMED} more' if len(found) > N_NAMED else ''
            raise BundleError(
                f"bundle '{self.folder}' was made for junction '{self.manifest.junction_id}' of "
                f"scenario '{self.manifest.scenario}', whose {what} differs from this one "
                f'({"; ".join(found[:N_NAMED])}{more}): another network, observation, clearance '
                'profile or signal settings; state the same ones, or train a bundle for these'
            )


def _unlike(ours: Any, theirs: Any, name: str = '') -> Iterator[str]:
    """Yield what differs between two plans or specs as JSON, each with its place."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        pairs = [(key, ours.get(key), theirs.get(key)) for key in {**ours, **theirs}]
    elif isinstance(ours, LISTS) and isinstance(theirs, LISTS) and len(ours) == len(theirs):
        pairs = [(n, *pair) for n, pair in enumerate(zip(ours, theirs, strict=True))]
    else:
        if ours != theirs:
            yield f'{name} here {_shortly(theirs)}, in the bundle {_shortly(ours)}'
        return
    for key, one, other in pairs:
        yield from _unlike(one, other, f'{name}.{key}' if name else str(key))


def _shortly(value: Any) -> str:
    return f'a list of {len(value)}' if isinstance(value, LISTS) else str(value)


def _read_guard(folder: Path, manifest: Manifest, n_features: int) -> GuardModel | None:
    """
    Return the out-of-distribution guard of a bundle.

    :raises BundleError: if it is malformed or for another observation.
    """
    if GUARD_NAME not in manifest.files:
        return None
    try:
        model = GuardModel.from_json(json.loads((folder / GUARD_NAME).read_text(encoding='utf-8')))
    except ValueError as error:  # BundleError is one
        raise BundleError(f"bundle '{folder}': {GUARD_NAME}: {error}") from error
    if (model.spec_fingerprint, model.n_features) != (manifest.spec_fingerprint, n_features):
        raise BundleError(
            f"bundle '{folder}': {GUARD_NAME} is for {model.n_features} features of observation "
            f'{model.spec_fingerprint}, the policy for {n_features} of '
            f'{manifest.spec_fingerprint}; take an unchanged copy'
        )
    return model


def load_bundle(folder: Path) -> Bundle:
    """
    Load a bundle after checking every file of it.

    :raises BundleError: if anything is missing, changed, unknown or inconsistent.
    """
    manifest = Manifest.read(folder)
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise BundleError(
                f"bundle '{folder}': file '{name}' is missing; copy the whole folder"
            )
        if sha256(path) != expected:
            raise BundleError(
                f"bundle '{folder}': file '{name}' was changed since it was written (its SHA-256 "
                'differs from the manifest); take an unchanged copy'
            )
    if POLICY_NAME not in manifest.files:
        raise BundleError(f"bundle '{folder}': the manifest does not list {POLICY_NAME}")
    bundle = Bundle(folder, manifest)
    if bundle.plan.fingerprint() != manifest.plan_fingerprint:
        raise BundleError(f"bundle '{folder}': its signal plan does not match its fingerprint")
    if bundle.spec.fingerprint() != manifest.spec_fingerprint:
        raise BundleError(f"bundle '{folder}': its observation does not match its fingerprint")
    return bundle
