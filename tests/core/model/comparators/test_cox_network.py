"""Cox models as a network: the same hazards as the fits they come from, in the program's own curves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from star_core.clinical.fields import MODEL_FIELDS, encode_record
from star_core.model.build import build_network
from star_core.model.comparators.cox_network import CoxNetwork, fit_cox_network
from star_core.model.comparators.features import build_columns, learn_preparation
from star_core.model.comparators.proportional import fit_proportional_hazards
from star_core.model.config import ComparatorConfig, InputChannels
from star_core.model.star import StarBatch
from tests.core.model.comparators.factory import draw_patients

CONFIG = ComparatorConfig(network="cox", input_channels=InputChannels.NONE, n_clinical=len(MODEL_FIELDS), n_members=4)


def test_rates_are_those_of_the_penalised_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    patients = draw_patients(80, seed=1)
    monkeypatch.setattr("star_core.model.comparators.cox_network.choose_penalty", lambda *args, seed: 0.1)
    network = build_network(CONFIG)
    assert isinstance(network, CoxNetwork)
    fit_cox_network(network, patients, seed=0)
    columns = build_columns([patient.clinical for patient in patients])
    features = learn_preparation(columns).apply(columns)
    months = np.array([patient.outcome.survival_months for patient in patients])
    died = np.array([patient.outcome.died for patient in patients])
    model = fit_proportional_hazards(features, months, died, 0.1)
    expected = np.diff(model.cumulative_hazard(features, 12.0 * np.arange(1, 13)), axis=1, prepend=0.0)
    encoded = [encode_record(patient.clinical) for patient in patients]
    batch = StarBatch(
        scans=torch.zeros(0),
        slots=torch.zeros(len(patients), 12, dtype=torch.long),
        clinical=torch.from_numpy(np.stack([values for values, _ in encoded])),
        missing=torch.from_numpy(np.stack([gaps for _, gaps in encoded])),
        at_risk_ml=torch.ones(len(patients), 1, 1, 1),
    )
    heads = network.projector.heads
    with torch.no_grad():
        _, fused = network.project(network.track(batch), batch)
        found = heads(fused.fused, None, batch.at_risk_ml).death.numpy()
    seen = expected > 1e-4
    np.testing.assert_allclose(found[seen], expected[seen], rtol=1e-3)


def test_only_cox_reads_no_scan() -> None:
    with pytest.raises(ValueError, match="no other comparator"):
        ComparatorConfig(network="cnn3d", input_channels=InputChannels.NONE, n_clinical=3)
    with pytest.raises(ValueError, match="reads no scan"):
        ComparatorConfig(network="cox", n_clinical=3)
