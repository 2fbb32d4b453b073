"""What may be concluded from a run and what may not, in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from saferl_ros.report.approaches import has_crossings
from saferl_ros.report.missing import present
from saferl_ros.report.palette import algorithm_and_seed
from saferl_ros.report.readable import count, counted, listed
from saferl_ros.report.run_folder import RunFolder
from saferl_ros.report.score_tables import faults_in_words
from saferl_ros.report.scores import ControllerScore, Scores
from saferl_ros.report.verdict import demands_in_words, judged_policy

FEW_DEMANDS = 10  # fewer make a rough interval
FEW_HOURS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusions:
    """Sentences, the most important first."""

    may: tuple[str, ...]
    may_not: tuple[str, ...]
    cautions: tuple[str, ...]  # what is particular to this run


def conclude(run: RunFolder) -> Conclusions:
    """Return the sentences that fit this run."""
    policy = judged_policy(run)
    return Conclusions(
        may=tuple(_may(run, policy)),
        may_not=tuple(_may_not(run, policy)),
        cautions=tuple(_cautions(run, policy)),
    )


def _may(run: RunFolder, policy: ControllerScore | None) -> Iterator[str]:
    verdict = present(run.verdict)
    if verdict is None:
        yield (
            "Nothing about a next step: there is no gate verdict. Run 'saferl gate' before the "
            'policy goes anywhere.'
        )
    elif verdict.passed and run.scores.clearance == 'resco':
        yield (
            f'The stated limits hold for {verdict.controller}, but under clearances that are not '
            'legal. This run is for comparison only; nothing of it may command a junction.'
        )
    elif verdict.passed:
        yield (
            f'The stated limits hold for {verdict.controller}, so its bundle may command. Begin '
            'in shadow mode all the same: there it is asked beside the controller that stands '
            'there, and never obeyed.'
        )
    else:
        failed = [check.name for check in verdict.checks if not check.passed]
        yield (
            f'{verdict.controller} may not command: the gate failed ({listed(failed)}). In shadow '
            'mode, where it is asked and never obeyed, it can be watched.'
        )
    if policy is None:
        return
    for words, names in _comparisons(policy):
        yield (
            f'In this simulation and over {demands_in_words(run.scores)}, '
            f'{words.format(name=policy.name, others=listed(names))}.'
        )
    faults = policy.metrics['monitor_faults'].total
    if faults == 0:
        yield (
            f'Behind the sequencer, {policy.name} never showed an unsafe signal by the rules of '
            'this run: the independent conflict monitor read every lamp and found no fault.'
        )
    else:
        yield f'The conflict monitor found {counted(faults, "fault")} under {policy.name}.'


def _comparisons(policy: ControllerScore) -> list[tuple[str, list[str]]]:
    """Return the outcomes and against whom; only whole intervals on one side decide."""
    found: dict[str, list[str]] = {
        '{name} delays traffic less than {others}': [],
        '{name} delays traffic more than {others}': [],
        '{name} cannot be told apart from {others}': [],
    }
    less, more, same = found
    for other in ('net_plan', 'own_plan', 'best_plan', 'actuated', 'max_pressure'):
        ratio = policy.delay_over.get(other)
        if ratio is not None:
            found[less if ratio.high < 1 else more if ratio.low > 1 else same].append(other)
    return [(words, names) for words, names in found.items() if names]


def _may_not(run: RunFolder, policy: ControllerScore | None) -> Iterator[str]:
    scores = run.scores
    yield (
        'Nothing here was seen in a street. All numbers come from SUMO, whose drivers hardly ever '
        'crash or run a red light: few collisions in it are no proof of safety.'
    )
    yield (
        'Nothing about another junction. Policy and signal plan are for '
        f'{listed(scores.junction_ids)} alone; what junctions further on do with the traffic that '
        'arrives there was not judged.'
    )
    there = " than those under 'When things go wrong'" if scores.degradation else ''
    yield (
        f'Nothing about other demand. Judged were {demands_in_words(scores)}; beyond that range, '
        f'and for other events{there}, nothing is shown.'
    )
    yield (
        'Nothing about a policy without its sequencer. The policy was only ever judged behind the '
        'sequencer, which holds minimum greens and clearances; alone it has no guarantee.'
    )
    yield (
        'Nothing about safety from the estimated value (FQE): it ranks policies, and is no '
        'safety check.'
    )
    if not any(has_crossings(plan) for plan in run.plans):
        yield (
            'Nothing about people on foot: no pedestrian crossing is signalled in this network, '
            'so no walk or clearance time was needed or judged.'
        )
    yield _about_seeds(scores, policy)
    yield (
        'The level of service is a reading aid. The Highway Capacity Manual defines it by control '
        'delay; the delay here counts all time lost in the simulation, the wait to enter it '
        'included.'
    )


def _about_seeds(scores: Scores, policy: ControllerScore | None) -> str:
    words = (
        'The 95 % intervals are over demands: how the result changes from one traffic to the next.'
    )
    if policy is None:
        return words
    algorithm, _ = algorithm_and_seed(policy.name)
    seeds = [c for c in scores.policies() if algorithm_and_seed(c.name)[0] == algorithm]
    if len(seeds) < 2:
        return (
            f'{words} They say nothing of training again with another seed; {policy.name} was '
            'trained once.'
        )
    delays = [c.metrics['delay_s'].estimate.mean for c in seeds]
    return (
        f'{words} For training again, look at the spread over the {len(seeds)} training seeds: '
        f'{listed([c.name for c in seeds])} lie between {min(delays):.1f} and {max(delays):.1f} s.'
    )


def _cautions(run: RunFolder, policy: ControllerScore | None) -> Iterator[str]:
    scores = run.scores
    if run.replaced:
        yield (
            f'{listed(run.replaced)} in this folder {"is" if len(run.replaced) == 1 else "are"} '
            'not what was judged here: trained or put there since. Judge again before anybody '
            'uses it.'
        )
    if run.taught_elsewhere:
        yield (
            f'{listed(run.taught_elsewhere)} did not learn from the record in this folder: what '
            'is said of recorded data here is not of what was learned.'
        )
    if scores.clearance == 'resco':
        yield (
            "The clearances are those of the RESCO benchmark ('resco'), without all-red. They are "
            'not legal, serve only to compare with published figures, and nothing live takes them.'
        )
    elif scores.clearance == 'net':
        yield (
            "The yellows are the network's own ('net'), not computed from speed and geometry; "
            'whether they are long enough for a street was not judged.'
        )
    verdict = present(run.verdict)
    if verdict is not None and verdict.looser:
        yield (f'The gate was easier to pass than it is by default: {listed(verdict.looser)}.')
    if len(scores.demands) < FEW_DEMANDS:
        yield (
            f'Only {counted(len(scores.demands), "demand")} were judged, so the intervals are '
            f'rough; {FEW_DEMANDS} and more are usual.'
        )
    net_plan = scores.find('net_plan')
    if net_plan is not None and net_plan.metrics['monitor_faults'].total:
        yield (
            'net_plan runs as it stands and breaks the rules of this run, which may save it time '
            f'({faults_in_words(net_plan.faults) or "see the safety table"}). Compare with '
            'own_plan for the same greens with complete clearances.'
        )
    yield from _data_cautions(run)
    if policy is not None:
        yield from _policy_cautions(scores, policy)


def _data_cautions(run: RunFolder) -> Iterator[str]:
    data = present(run.data)
    if data is None:
        yield 'The run folder has no recorded data, so its price and coverage are not known.'
        return
    if data.price is None:
        yield 'The own plan was not recorded, so the price of the data is not known.'
    elif data.price.mean > data.budget:
        yield (
            f"Recording cost {data.price.mean:.2f} of the own plan's delay, above the budget of "
            f'{data.budget:g}: in a street this would be too dear.'
        )
    if data.hours < FEW_HOURS:
        yield f'{data.hours:.3g} h of data are little to learn from; treat the policy as a trial.'
    for junction in run.junctions:
        found = present(junction.data)
        if found is None or not found.never:
            continue
        pairs = ', '.join(f'{a}→{b}' for a, b in found.never)
        where = f' at {junction.junction_id}' if len(run.junctions) > 1 else ''
        yield (
            f'These changes were never recorded{where}, so a policy that makes them guesses: '
            f'{pairs}.'
        )


def _policy_cautions(scores: Scores, policy: ControllerScore) -> Iterator[str]:
    teleports = policy.metrics['teleports'].total
    if teleports:
        yield (
            f'Under {policy.name} the simulator took {counted(teleports, "vehicle")} out of a jam '
            f'after {scores.teleport_s:g} s of standing; the true delays are larger.'
        )
    left_out = policy.metrics['not_inserted_veh'].total
    if left_out:
        yield (
            f'Under {policy.name}, {counted(left_out, "vehicle")} could not enter the network '
            f'before the end, over all {count(len(scores.demands))} demands; their wait is '
            'counted, their trip is not.'
        )
