"""What a run left in its folder; every piece but the evaluation may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

import yaml

from saferl_ros.bundle.folders import bundle_folder, find_bundles
from saferl_ros.bundle.manifest import joint_sha256, Manifest, sha256
from saferl_ros.dataset.coverage import quality
from saferl_ros.dataset.files import record_paths
from saferl_ros.dataset.io import read_record
from saferl_ros.dataset.schema import Record
from saferl_ros.errors import DatasetError, SaferlError, UsageError
from saferl_ros.evaluate.gate import Check
from saferl_ros.evaluate.judge import digest_of, read_evaluation
from saferl_ros.report.missing import Missing
from saferl_ros.report.recorded_data import recorded_data, RecordedData
from saferl_ros.report.scores import read_scores, Scores
from saferl_ros.report.training_log import read_training_logs, TrainingLog
from saferl_ros.scenario import load_scenario
from saferl_ros.scenario.catalogue import CATALOGUE
from saferl_ros.signals import SignalPlan
from saferl_ros.sumo.network import Network, read_network


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate said."""

    controller: str
    passed: bool
    checks: tuple[Check, ...]
    looser: tuple[
        str, ...
    ] = ()  # limits and conditions that let through more than the default ones


@dataclass(frozen=True, slots=True, kw_only=True)
class RunJunction:
    """One of the junctions that were controlled."""

    junction_id: str
    data: RecordedData | Missing
    plan: SignalPlan | Missing
    network: Network | Missing
    git_revision: str  # of the code that recorded, empty if not known


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """Everything a report is made of."""

    scores: Scores
    verdict: Verdict | Missing
    junctions: tuple[RunJunction, ...]  # at least one
    training: list[TrainingLog] | Missing
    replaced: tuple[str, ...]  # policies whose bundle here is not the one that was judged
    taught_elsewhere: tuple[str, ...]  # those that learned from another record than this one

    @property
    def data(self) -> RecordedData | Missing:
        """The recorded data of the first junction; price and demand are those of all."""
        return self.junctions[0].data

    @property
    def plans(self) -> list[SignalPlan]:
        """The signal plans that are known."""
        return [j.plan for j in self.junctions if not isinstance(j.plan, Missing)]

    @property
    def git_revision(self) -> str:
        """Revision of the code that recorded, empty if not known."""
        return self.junctions[0].git_revision


def read_run(folder: Path, network: Path | None = None) -> RunFolder:
    """
    Read a run folder.

    :param network: the net file to draw junctions from; by default that of the configuration, or
        the built-in one of that name.
    :raises UsageError: if the folder does not exist.
    :raises DatasetError: if its evaluation is missing or damaged.
    """
    if not folder.is_dir():
        raise UsageError(f"'{folder}' is no run folder; make one with 'saferl run'")
    evaluation = folder / 'evaluation.json'
    if not evaluation.is_file():
        raise DatasetError(
            f"run folder '{folder}' holds no evaluation.json; make one with 'saferl run', or with "
            f"'saferl evaluate … -o {evaluation}'"
        )
    scores = read_scores(evaluation)
    return RunFolder(
        scores=scores,
        verdict=_read_verdict(folder / 'gate.json', digest_of(read_evaluation(evaluation))),
        junctions=tuple(
            _read_junction(folder, scores, number, network)
            for number in range(len(scores.junction_ids))
        ),
        training=read_training_logs(folder / 'logs'),
        replaced=tuple(
            name
            for name, judged in scores.judged_sha256.items()
            if _is_other(folder / name, judged)
        ),
        taught_elsewhere=_taught_elsewhere(folder, scores),
    )


def _is_other(place: Path, judged: Mapping[str, str]) -> bool:
    """Whether the policy that is there now is not the one that was judged."""
    try:
        manifests = [Manifest.read(folder) for folder in find_bundles(place)]
    except SaferlError:  # it is not there, or damaged, which whoever loads it is told
        return False
    return any(m.contents != judged.get(m.junction_id) for m in manifests)


def _taught_elsewhere(folder: Path, scores: Scores) -> tuple[str, ...]:
    """Return the policies that did not learn from the records that are in the folder."""
    files = record_paths(_records_at(folder, scores), scores.junction_ids)
    if not all(file.is_file() for file in files):
        return ()
    digests = [sha256(file) for file in files]
    here = {*digests, joint_sha256(digests)}
    found = []
    for name in scores.judged_sha256:
        try:
            manifests = [Manifest.read(place) for place in find_bundles(folder / name)]
        except SaferlError:  # it is not there, or damaged, which whoever loads it is told
            continue
        if any(manifest.dataset_sha256 not in here for manifest in manifests):
            found.append(name)
    return tuple(found)


def _records_at(folder: Path, scores: Scores) -> Path:
    return folder / ('dataset.h5' if len(scores.junction_ids) == 1 else 'dataset')


def _read_junction(folder: Path, scores: Scores, number: int, network: Path | None) -> RunJunction:
    junction_id, is_alone = scores.junction_ids[number], len(scores.junction_ids) == 1
    paths = record_paths(_records_at(folder, scores), scores.junction_ids)
    record = _read_record(paths[number], folder)
    plan = _plan(folder, record, scores, junction_id)
    return RunJunction(
        junction_id=junction_id,
        data=_read_data(folder / 'quality.json', record, None if is_alone else number),
        plan=plan,
        network=(
            plan if isinstance(plan, Missing) else _find_network(folder, scores, plan, network)
        ),
        git_revision='' if isinstance(record, Missing) else _revision(record),
    )


def _read_record(path: Path, folder: Path) -> Record | Missing:
    name = path.relative_to(folder)
    if not path.is_file():
        return Missing(reason=f'The run folder holds no recorded data ({name}).')
    try:
        return read_record(path)
    except SaferlError as error:
        return Missing(reason=f'The recorded data ({name}) cannot be used: {error}.')


def _revision(record: Record) -> str:
    return str(record.manifest.get('git_revision', ''))


def _plan(
    folder: Path, record: Record | Missing, scores: Scores, junction_id: str
) -> SignalPlan | Missing:
    """Return the signal plan from the record, or else from a bundle that was judged."""
    if isinstance(record, Missing):
        reason = record.reason
    elif record.plan.junction_id == junction_id:
        return record.plan
    else:
        reason = (
            f'The recorded data is of junction {record.plan.junction_id}, the evaluation of '
            f'{junction_id}.'
        )
    for policy in scores.policies():
        try:
            place = bundle_folder(
                folder / policy.name, junction_id, is_alone=len(scores.junction_ids) == 1
            )
            return SignalPlan.from_json(Manifest.read(place).plan)
        except SaferlError:  # this bundle is not there or damaged; another one may do
            continue
    return Missing(
        reason=f'{reason} No policy bundle with a signal plan is there either, so the '
        'junction and its stages cannot be shown.'
    )


def _read_data(path: Path, record: Record | Missing, number: int | None) -> RecordedData | Missing:
    """Return the quality report of one junction: the whole file, or one of its list."""
    reason = 'The run folder holds no quality report (quality.json)'
    if path.is_file():
        try:
            found = json.loads(path.read_text(encoding='utf-8'))
            return recorded_data(found if number is None else found[number])
        except (OSError, ValueError, LookupError, TypeError) as error:
            reason = f'The quality report (quality.json) cannot be used ({error})'
    if isinstance(record, Missing):
        return Missing(reason=f'{reason}. {record.reason}')
    try:
        return recorded_data(quality(record))
    except DatasetError as error:
        return Missing(reason=f'{reason}, and none can be made: {error}.')


def _read_verdict(path: Path, judged: str) -> Verdict | Missing:
    """Return what the gate said of the evaluation with that digest."""
    if not path.is_file():
        return Missing(
            reason="The run folder holds no gate verdict (gate.json); 'saferl gate' judges one."
        )
    try:
        data = json.loads(path.read_text(encoding='utf-8'))
        if data['evaluation_sha256'] != judged:
            return Missing(
                reason='The gate verdict (gate.json) is of another evaluation than the one in '
                "this folder; run 'saferl gate' again."
            )
        checks = tuple(Check(**check) for check in data['checks'])
        return Verdict(
            controller=str(data['controller']),
            passed=bool(data['passed']),
            checks=checks,
            looser=tuple(map(str, data.get('looser', ()))),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Missing(reason=f'The gate verdict (gate.json) cannot be used ({error!r}).')


def _find_network(
    folder: Path, scores: Scores, plan: SignalPlan, stated: Path | None
) -> Network | Missing:
    """Return the network that the plan was derived from, if this machine has it."""
    reason = (
        f"The network file of scenario '{scores.scenario}' was not found on this machine, so the "
        "junction cannot be drawn; its stages are listed instead. 'saferl report --network FILE' "
        'names it.'
    )
    if stated is not None:
        network = read_network(stated)
        if _matches(network, plan):
            return network
        return Missing(
            reason=f"The network file '{stated.name}' is not the one this run was made with, so "
            'the junction is not drawn; its stages are listed instead.'
        )
    for name, routes in _scenario_names(folder, scores):
        try:
            network = read_network(load_scenario(name, routes=routes).net_file)
        except (SaferlError, OSError):  # sumo-rl or the file is on another machine
            continue
        if _matches(network, plan):
            return network
        reason = (
            f"The network file found for scenario '{scores.scenario}' is not the one this run "
            'was made with, so the junction is not drawn; its stages are listed instead.'
        )
    return Missing(reason=reason)


def _scenario_names(folder: Path, scores: Scores) -> list[tuple[str, tuple[Path, ...]]]:
    """Return what may name the scenario: the run's configuration, then a built-in name."""
    names: list[tuple[str, tuple[Path, ...]]] = []
    try:
        config: Any = yaml.safe_load((folder / 'config.yaml').read_text(encoding='utf-8'))
        routes = tuple(Path(str(route)) for route in config.get('routes') or ())
        names.append((str(config['scenario']), routes))
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        pass  # a run folder put together by hand need not have one
    if scores.scenario in CATALOGUE:
        names.append((scores.scenario, ()))
    return names


def _matches(network: Network, plan: SignalPlan) -> bool:
    """Whether every movement of the plan is in the network under the same lamp."""
    found = {(c.link_index, c.from_lane, c.to_lane) for c in network.signalised(plan.junction_id)}
    return all(
        (link.index, link.from_lane, link.to_lane) in found
        for link in plan.links
        if link.from_lane  # a lamp without a movement
    )
