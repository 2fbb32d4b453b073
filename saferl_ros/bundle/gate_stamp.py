"""Writes the gate's verdict into a bundle: it travels with the policy that it was given to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from saferl_ros.bundle.load import load_bundle
from saferl_ros.bundle.manifest import POLICY_NAME
from saferl_ros.errors import BundleError


def stamp_gate(folder: Path, verdict: dict[str, Any], evaluation: dict[str, Any]) -> None:
    """
    Put a verdict into the manifest of the very policy that was judged.

    :param folder: the bundle.
    :param verdict: what ``saferl gate`` decided, passed or not.
    :param evaluation: on which it decided; it names the judged policies by their SHA-256.
    :raises BundleError: if the bundle's policy is not the one that was judged.
    """
    manifest = load_bundle(folder).manifest
    judged = evaluation.get('policies', {}).get(verdict['controller'])
    ours = manifest.files[POLICY_NAME]
    if judged != ours:
        raise BundleError(
            f"bundle '{folder}' is not the policy that was judged as '{verdict['controller']}' "
            f'(SHA-256 {ours[:12]}, judged {str(judged)[:12]}); evaluate this bundle first'
        )
    manifest.model_copy(update={'gate': verdict}).write(folder)
