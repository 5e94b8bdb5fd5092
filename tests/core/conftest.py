"""Things that are dear to make, shared by the tests of the core: a phantom, a small cohort, an untrained model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from star_core import api
from star_core.cohort.manifest import Manifest
from star_core.cohort.phantom import Phantom, draw_phantom, write_phantom_cohort
from star_core.imaging.preprocess import PreprocessConfig
from star_core.model.bundle import CohortCard, ModelCard, write_bundle
from star_core.model.config import StarConfig
from star_core.types import Assessment, Case, Cause, ModelInput, Outcome

if TYPE_CHECKING:
    from star_core.model.star import Network
    from star_core.training.data import TrainingBatch

COHORT_SIZE = 20
SMALL = PreprocessConfig(reduce=4)
SMALL_GRID = SMALL.grid_shape


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    return draw_phantom(3)


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return write_phantom_cohort(COHORT_SIZE, tmp_path_factory.mktemp("cohort") / "phantoms", seed=5, workers=2)


@pytest.fixture(scope="session")
def small_cohort(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Twenty phantoms on a coarse grid, on which a training epoch takes a second."""
    folder = tmp_path_factory.mktemp("small-cohort") / "phantoms"
    return write_phantom_cohort(COHORT_SIZE, folder, seed=5, config=SMALL, workers=2)


@pytest.fixture(scope="session")
def small_input() -> ModelInput:
    """One phantom on the coarse grid."""
    return draw_phantom(3, config=SMALL).model_input


def build_training_batch(network: Network, inputs: Sequence[ModelInput]) -> TrainingBatch:
    """Return inputs as one batch whose patients had a liver recurrence after 18 months."""
    import torch

    from star_core.model.star import build_batch
    from star_core.training.data import TrainingBatch, build_outcome, collate

    outcome = Outcome(event_months=18.0, cause=Cause.LIVER, survival_months=40.0, died=True)
    return collate(
        [
            TrainingBatch(
                star=build_batch(model_input, network.config),
                outcome=build_outcome(outcome, model_input, None),
                member_weights=torch.ones(1, network.config.n_members),
                patient_ids=(f"patient-{number}",),
            )
            for number, model_input in enumerate(inputs)
        ]
    )


@pytest.fixture(scope="session")
def untrained_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    from star_core.model.star import Star

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("bundle") / "untrained"
    network = Star(build_config())
    write_bundle(build_card(), network.state_dict(), folder)
    return folder


def build_config() -> StarConfig:
    from star_core.clinical.fields import MODEL_FIELDS

    return StarConfig(n_clinical=len(MODEL_FIELDS))


def build_card(name: str = "untrained") -> ModelCard:
    from star_core.clinical.fields import MODEL_FIELDS

    return ModelCard(
        name=name,
        title="Untrained network",
        demonstration=True,
        software_version="0",
        created_utc="2026-01-01T00:00:00+00:00",
        architecture=build_config(),
        preprocessing={},
        fields=tuple(field.name for field in MODEL_FIELDS),
        cohort=CohortCard(kind="phantom", name="none", patients=20, synthetic=True, split={}),
        at_risk=(90, 80, 70, 60, 50, 40, 30, 20, 15, 10, 9, 8),
        training={},
        intended_use="Tests.",
        not_for="Anything else.",
    )


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration patient as DICOM."""
    folder = tmp_path_factory.mktemp("demo") / "patient"
    api.write_demo(folder)
    return folder


@pytest.fixture(scope="session")
def demo_assessed(untrained_bundle: Path) -> tuple[Case, Assessment]:
    case = api.demo_case()
    return case, api.assess(case, str(untrained_bundle))
