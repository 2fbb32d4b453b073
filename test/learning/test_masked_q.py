"""An illegal stage with a tempting value is never bootstrapped from, and never pushed down."""

from __future__ import annotations

import numpy as np
import pytest
from small import crossing_spec

from saferl_ros.train.algorithm import create_algorithm
from saferl_ros.train.config import TrainConfig
from saferl_ros.train.library import load_d3rlpy, load_torch
from saferl_ros.train.masked_q import ILLEGAL_VALUE, legal_columns

TEMPTING = 1000.0


def tempted(name: str, *, mask_illegal: bool, n_quantiles: int):
    """Return an algorithm of two actions whose second is worth 1000 everywhere."""
    cql = {'hidden_units': [8], 'mask_illegal': mask_illegal, 'n_quantiles': n_quantiles}
    algorithm = create_algorithm(
        name,
        TrainConfig.model_validate({'cql': cql}),
        n_features=3,
        n_stages=2,
        legal_columns=[1, 2],
        device='cpu',
    )
    torch = load_torch()
    with torch.no_grad():
        modules = algorithm.impl.modules
        for networks in (modules.q_funcs, modules.targ_q_funcs):
            for network in networks:
                bias = network._fc.bias
                bias.zero_()
                bias[len(bias) // 2 :] = TEMPTING
                network._fc.weight.zero_()
    return algorithm


def batch(is_second_legal: bool):
    d3rlpy = load_d3rlpy()
    observations = np.array([[0.5, 1.0, float(is_second_legal)]] * 4, dtype=np.float32)
    column = np.ones((4, 1), dtype=np.float32)
    mini = d3rlpy.dataset.TransitionMiniBatch(
        observations=observations,
        actions=column * 0,
        rewards=-column,
        next_observations=observations,
        next_actions=column * 0,
        terminals=column * 0,
        intervals=column,
        transitions=[],
    )
    return d3rlpy.torch_utility.TorchMiniBatch.from_batch(
        mini, gamma=0.9, compute_returns_to_go=False, device='cpu'
    )


@pytest.mark.parametrize('n_quantiles', [0, 4])
@pytest.mark.parametrize('name', ['cql', 'dqn'])
def test_an_illegal_action_is_never_bootstrapped_from(name, n_quantiles):
    masked = tempted(name, mask_illegal=True, n_quantiles=n_quantiles)
    assert float(masked.impl.compute_target(batch(is_second_legal=False)).max()) == 0.0
    assert float(masked.impl.compute_target(batch(is_second_legal=True)).min()) == TEMPTING
    stock = tempted(name, mask_illegal=False, n_quantiles=n_quantiles)
    assert float(stock.impl.compute_target(batch(is_second_legal=False)).min()) == TEMPTING


def test_the_conservative_term_knows_legal_actions_only():
    """With one legal action there is nothing to be conservative about: its penalty is zero."""
    for mask_illegal, penalty in ((True, 0.0), (False, TEMPTING)):
        algorithm = tempted('cql', mask_illegal=mask_illegal, n_quantiles=0)
        data = batch(is_second_legal=False)
        loss = algorithm.impl.compute_loss(data, algorithm.impl.compute_target(data))
        assert float(loss.conservative_loss.detach()) == pytest.approx(penalty)


def test_predictions_show_the_mask_and_the_columns_are_those_of_the_spec():
    algorithm = tempted('dqn', mask_illegal=True, n_quantiles=0)
    seen = np.array([[0.5, 1.0, 0.0]], dtype=np.float32)
    assert algorithm.predict(seen).tolist() == [0]
    assert algorithm.predict_value(seen, np.array([1]))[0] == ILLEGAL_VALUE
    silent = np.array([[0.5, 0.0, 0.0]], dtype=np.float32)  # says nothing of what is legal
    assert algorithm.predict_value(silent, np.array([1]))[0] == TEMPTING
    spec = crossing_spec()
    names = [spec.features()[n].name for n in legal_columns(spec)]
    assert names == [f'stage_{stage}_is_legal' for stage in range(3)]
    assert legal_columns(crossing_spec('sumo_rl')) == []
