"""A policy of one junction is a bundle; that of a network is a folder of bundles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from saferl_ros.bundle.manifest import GUARD_NAME, Manifest, MANIFEST_NAME, PARTIAL
from saferl_ros.errors import BundleError
from saferl_ros.naming import file_name


def bundle_folder(place: Path, junction_id: str, *, is_alone: bool) -> Path:
    """Return where the bundle of one junction belongs under the policy's folder."""
    return place if is_alone else place / file_name(junction_id)


def find_bundles(place: Path) -> list[Path]:
    """
    Return the bundles of a policy, in the order of their names.

    :param place: a bundle, or a folder of bundles.
    :raises BundleError: if there is none.
    """
    if (place / MANIFEST_NAME).exists():
        return [place]
    folders = sorted(path.parent for path in place.glob(f'*/{MANIFEST_NAME}'))
    found = [folder for folder in folders if not folder.name.endswith(PARTIAL)]
    if place.is_file():
        raise BundleError(
            f"'{place}' is a file and no policy bundle; a bundle is a folder, as 'saferl train' "
            'writes it'
        )
    if not place.is_dir():
        raise BundleError(
            f"'{place}' is no policy bundle, it does not exist; 'saferl train' makes one"
        )
    if not found:
        inside = sorted({path.parent.parent.name for path in place.glob(f'*/*/{MANIFEST_NAME}')})
        hint = (
            f'its folders {", ".join(inside)} do: name one of them'
            if inside
            else 'a bundle is a folder that saferl train wrote'
        )
        raise BundleError(
            f"'{place}' is no policy bundle and holds none: {MANIFEST_NAME} is missing; {hint}"
        )
    return found


def without_guard(places: Iterable[Path]) -> list[str]:
    """Return the junctions that have a bundle without a guard, in the order of their names."""
    manifests = [Manifest.read(folder) for place in places for folder in find_bundles(place)]
    return sorted({m.junction_id for m in manifests if GUARD_NAME not in m.files})


def bundles_of(place: Path, junction_ids: Sequence[str]) -> dict[str, Path]:
    """
    Return the bundle of each junction.

    :param place: a bundle, or a folder of bundles.
    :raises BundleError: if a junction has none or several, or a bundle is of no junction here.
    """
    manifests = {folder: Manifest.read(folder) for folder in find_bundles(place)}
    found: dict[str, Path] = {}
    for folder, manifest in manifests.items():
        if manifest.junction_id in found:
            raise BundleError(
                f"'{place}' holds several policies for junction '{manifest.junction_id}': "
                f"'{found[manifest.junction_id]}' and '{folder}'; name one of them"
            )
        found[manifest.junction_id] = folder
    for junction_id in junction_ids:
        if junction_id not in found:
            known = ', '.join(f"'{m.junction_id}' of {m.scenario}" for m in manifests.values())
            raise BundleError(
                f"policy '{place}' has no bundle for junction '{junction_id}'; it was made for "
                f'{known}; train a bundle for this one'
            )
    for junction_id in found:
        if junction_id not in junction_ids:
            raise BundleError(
                f"policy '{place}' has a bundle for junction '{junction_id}', which is not among "
                f'those that are judged: {", ".join(junction_ids)}; name the folder of a single '
                'one in there, or judge the whole network'
            )
    return {junction_id: found[junction_id] for junction_id in junction_ids}
