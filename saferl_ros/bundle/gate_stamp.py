"""Writes the gate's verdict into a bundle: it travels with the policy that it was given to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from saferl_ros.bundle.folders import find_bundles
from saferl_ros.bundle.load import load_bundle
from saferl_ros.errors import BundleError


def stamp_gate(folder: Path, verdict: dict[str, Any], evaluation: dict[str, Any]) -> None:
    """
    Put a verdict into the manifest of the very policy that was judged, at every junction.

    :param folder: the bundle, or the folder of a network's bundles.
    :param verdict: what ``saferl gate`` decided, passed or not.
    :param evaluation: on which it decided; it names the judged bundles by their contents.
    :raises BundleError: if the bundle's policy is not the one that was judged.
    """
    judged = evaluation.get('policies', {}).get(verdict['controller'], {})
    manifests = {found: load_bundle(found).manifest for found in find_bundles(folder)}
    for found, manifest in manifests.items():
        ours, theirs = manifest.contents, judged.get(manifest.junction_id)
        if ours != theirs:
            raise BundleError(
                f"bundle '{found}' is not the policy that was judged as "
                f"'{verdict['controller']}' (SHA-256 {ours[:12]}, judged {str(theirs)[:12]}); "
                'evaluate this bundle first, or name what it was judged as with --controller'
            )
    for found, manifest in manifests.items():
        manifest.model_copy(update={'gate': verdict}).write(found)
