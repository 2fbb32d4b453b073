"""What a policy bundle says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import hashlib
import json
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from saferl_ros.dataset.io import whole_file
from saferl_ros.errors import BundleError

BUNDLE_VERSION = 1
MANIFEST_NAME = 'manifest.json'
POLICY_NAME = 'policy.onnx'
PARTIAL = '.writing'  # ends the name of a bundle that is not whole yet
GUARD_NAME = 'guard.json'  # only where the record could teach one
CHECKSUM = 'manifest_sha256'  # over every other field of the manifest


class Manifest(BaseModel):
    """
    The contents of ``manifest.json``.

    A bundle is refused, never patched up, unless everything in it matches: see ``bundle.load``.
    """

    model_config = ConfigDict(frozen=True, extra='forbid')

    format_version: int = BUNDLE_VERSION
    package_version: str
    git_revision: str
    algorithm: str
    seed: int
    config: dict[str, Any]  # the training configuration
    junction_id: str
    scenario: str
    plan: dict[str, Any]
    plan_fingerprint: str
    spec: dict[str, Any]
    spec_fingerprint: str
    decision_s: float
    dataset_sha256: str
    family: dict[str, Any] | None = None  # of the plans that were recorded, if it is known
    n_transitions: int
    fqe_value: float | None = None  # fitted Q evaluation on held-out episodes, if it was asked
    behaviour_value: float | None = None  # of the recorded plans, by the same estimate
    gate: dict[str, Any] | None = None  # verdict of 'saferl gate', once there is one
    files: dict[str, str]  # name to sha256

    @property
    def contents(self) -> str:
        """SHA-256 over the files of the bundle: policy and guard, which decide together."""
        return _checksum(self.files)

    def write(self, folder: Path) -> None:
        """
        Write ``manifest.json`` into ``folder``, whole or not at all.

        :raises UsageError: if it cannot be written there.
        """
        data = self.model_dump(mode='json')
        text = json.dumps({**data, CHECKSUM: _checksum(data)}, indent=1, sort_keys=True)
        with whole_file(folder / MANIFEST_NAME) as partial:
            partial.write_text(text + '\n', encoding='utf-8')

    @classmethod
    def read(cls, folder: Path) -> Self:
        """
        Read the manifest of a bundle.

        :raises BundleError: if it is missing, changed, malformed, or of another format version.
        """
        path = folder / MANIFEST_NAME
        try:
            data = json.loads(path.read_text(encoding='utf-8'))
        except OSError as error:
            raise BundleError(
                f"'{folder}' is no policy bundle: {MANIFEST_NAME} cannot be read "
                f'({error.strerror}); a bundle is a folder that saferl train wrote'
            ) from error
        except ValueError as error:
            raise BundleError(f"bundle '{folder}': {MANIFEST_NAME} is damaged: {error}") from error
        version = data.get('format_version') if isinstance(data, Mapping) else None
        if version != BUNDLE_VERSION:
            raise BundleError(
                f"bundle '{folder}' has format version {version}; this release reads version "
                f'{BUNDLE_VERSION}; export it again'
            )
        found = data.pop(CHECKSUM, None)
        if found != _checksum(data):
            raise BundleError(
                f"bundle '{folder}': {MANIFEST_NAME} was changed since it was written (its "
                f'{CHECKSUM} differs from its contents); take an unchanged copy'
            )
        try:
            return cls(**data)
        except ValidationError as error:
            first = error.errors()[0]
            raise BundleError(
                f"bundle '{folder}': {MANIFEST_NAME}: {'.'.join(map(str, first['loc']))}: "
                f'{first["msg"]}'
            ) from error


def _checksum(data: dict[str, Any]) -> str:
    canonical = json.dumps(data, sort_keys=True, separators=(',', ':'))
    return hashlib.sha256(canonical.encode()).hexdigest()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def joint_sha256(digests: Sequence[str]) -> str:
    """Return the hash of a record, or of all records that a shared policy is made from."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256('\n'.join(digests).encode()).hexdigest()
