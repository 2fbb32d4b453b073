"""The verdict and the key facts at the head of the page."""

from __future__ import annotations

from dataclasses import dataclass

from saferl_ros import __version__
from saferl_ros.report.missing import present
from saferl_ros.report.readable import clock, counted, Estimate, listed
from saferl_ros.report.run_folder import RunFolder
from saferl_ros.report.scores import ControllerScore, Scores

PROFILE_WORDS = {
    'legal': 'legal: yellow and all-red computed from posted speed and geometry (ITE)',
    'net': "net: the network's own yellows",
    'resco': 'resco: as in the RESCO benchmark, without all-red; not legal',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the first screen says."""

    title: str
    result: str  # 'passed', 'failed' or 'open'
    lead: str  # the verdict in a few words
    sentence: str  # goes on from the lead
    facts: tuple[tuple[str, str], ...]


def judged_policy(run: RunFolder) -> ControllerScore | None:
    """Return the policy that the page is about: the gate's, else ``cql``, else the first."""
    verdict = present(run.verdict)
    named = run.scores.find(verdict.controller) if verdict else None
    policies = run.scores.policies()
    cql = next((c for c in policies if c.name == 'cql'), None)
    return named or cql or next(iter(policies), None)


def head(run: RunFolder) -> Head:
    """Return the head of the page."""
    verdict = present(run.verdict)
    result = 'open' if verdict is None else 'passed' if verdict.passed else 'failed'
    lead = {
        'open': 'There is no gate verdict',
        'passed': 'The gate passed',
        'failed': 'The gate failed',
    }[result]
    return Head(
        title=f'Learned signal control at {run.scores.scenario}',
        result=result,
        lead=lead,
        sentence=_sentence(run.scores, judged_policy(run)),
        facts=_facts(run),
    )


def _sentence(scores: Scores, policy: ControllerScore | None) -> str:
    if policy is None:
        return ', and no learned policy was judged.'
    own = policy.metrics['delay_s'].estimate
    ours = (
        f': under {policy.name} a vehicle loses {own.mean:.1f} s on average '
        f'(95 % interval {own.interval()})'
    )
    net_plan, ratio = scores.find('net_plan'), policy.delay_over.get('net_plan')
    if net_plan is None or ratio is None:
        return f'{ours}; there is no net_plan to compare with.'
    theirs = net_plan.metrics['delay_s'].estimate
    return (
        f"{ours}, under net_plan, the network's own plan, {theirs.mean:.1f} s "
        f'({theirs.interval()}); that is {ratio.mean:.2f} times as much ({ratio.interval(2)}), '
        f'{_outcome(ratio)}.'
    )


def _outcome(ratio: Estimate) -> str:
    if ratio.high < 1:
        return 'better on these demands'
    if ratio.low > 1:
        return 'worse on these demands'
    return 'and the two cannot be told apart on these demands'


def demands_in_words(scores: Scores) -> str:
    """Return how many demands were judged, and their range."""
    scales = [demand.scale for demand in scores.demands if not demand.is_nominal]
    n_nominal = len(scores.demands) - len(scales)
    parts = []
    if scales:
        span = (
            f'{min(scales):g} to {max(scales):g}'
            if min(scales) < max(scales)
            else f'{scales[0]:g}'
        )
        parts.append(f'{counted(len(scales), "episode")} at {span} times the nominal demand')
    if n_nominal:
        parts.append('the nominal demand itself')
    return listed(parts)


def _facts(run: RunFolder) -> tuple[tuple[str, str], ...]:
    scores = run.scores
    facts = [
        ('Scenario', f'{scores.scenario}, {clock(scores.begin_s)} to {clock(scores.end_s)}'),
        ('Clearances', PROFILE_WORDS.get(scores.clearance, scores.clearance)),
        ('Recorded', _recorded(run)),
        ('Price of the data', price_in_words(run)),
        ('Judged on', demands_in_words(scores)),
        ('Learned policies', ', '.join(c.name for c in scores.policies()) or 'none'),
    ]
    if len(run.plans) == 1:
        facts.append(('Signal plan', f'fingerprint {run.plans[0].fingerprint()}'))
    versions = [f'saferl_ros {scores.package_version}', scores.sumo_version]
    if run.git_revision:
        versions.append(f'recorded by revision {run.git_revision[:12]}')
    if scores.package_version != __version__:
        versions.append(f'page written by {__version__}')
    facts.append(('Versions', ', '.join(versions)))
    return tuple(facts)


def _recorded(run: RunFolder) -> str:
    data = present(run.data)
    if data is None:
        return 'not known, see below'
    return f'{data.hours:.1f} h in {counted(data.n_episodes, "episode")}, plans: {data.plans}'


def price_in_words(run: RunFolder) -> str:
    """Return what recording cost the traffic."""
    data = present(run.data)
    if data is None or data.price is None:
        return 'not known'
    interval = f'95 % interval {data.price.interval(3)}, ' if data.n_pairs > 1 else ''
    return (
        f"{data.price.mean:.3f} of the own plan's delay ({interval}"
        f'{counted(data.n_pairs, "episode")} each)'
    )
