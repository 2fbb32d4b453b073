"""The names of topics and services. All are relative, so that a namespace can hold a street."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
import hashlib
import re

ROOT = 'saferl'

DESCRIPTION = 'description'  # std_msgs/String: the junction's plan and observation as JSON
SIGNAL_STATE = 'signal_state'
DETECTORS = 'detectors'
SHIELD_DECISION = 'shield_decision'  # what the bridge's shield decided
SHADOW_DECISION = 'shadow_decision'  # what a shield would have decided on the shadow's request
POLICY_STATUS = 'policy_status'

STAGE_REQUEST = 'stage_request'  # the only topic that commands
ADVICE = 'advice'
SHADOW_REQUEST = 'shadow_request'
REQUEST_TOPICS = {'shadow': SHADOW_REQUEST, 'advisory': ADVICE, 'active': STAGE_REQUEST}

MODES = tuple(REQUEST_TOPICS)


def topic_token(junction_id: str) -> str:
    """
    Return a junction's name as a part of a ROS topic.

    Letters, digits and single underscores are allowed there; an id that has other characters gets
    a short hash, so that two junctions never share a topic.
    """
    plain = re.sub(r'[^A-Za-z0-9]+', '_', junction_id).strip('_')
    if plain == junction_id and plain[0].isalpha():
        return plain
    digest = hashlib.sha256(junction_id.encode()).hexdigest()[:6]
    return '_'.join(part for part in ('j', plain, digest) if part)


def topic(junction_id: str, name: str) -> str:
    """Return a topic of one junction, relative to the node's namespace."""
    return f'{ROOT}/{topic_token(junction_id)}/{name}'


def described(topics: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    """Return the topics on which a junction is described, out of a graph's names and types."""
    return [
        name
        for name, types in topics
        if f'/{ROOT}/' in name
        and name.endswith(f'/{DESCRIPTION}')
        and 'std_msgs/msg/String' in types
    ]
