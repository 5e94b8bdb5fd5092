"""Training a network on a cohort, from manifest to bundle."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import star_core
from star_core.errors import CohortError, TrainingError
from star_core.model.bundle import CohortCard, ModelBundle, ModelCard, write_bundle
from star_core.model.config import StarConfig
from star_core.storage import refuse_filled_folder
from star_core.training.run import EpochCallback, TrainingSettings, ignore_epoch, never_stop
from star_core.types import ProgressCallback, ignore_progress

if TYPE_CHECKING:
    from torch.utils.data import Dataset

    from star_core.cohort.manifest import Manifest, ManifestPatient
    from star_core.model.star import Star
    from star_core.training.data import TrainingBatch

MIN_PATIENTS = 20
INTENDED_USE = "Research on recurrence after resection of colorectal liver metastases; teaching; trying this program."
NOT_FOR = "Diagnosis, treatment decisions, or telling a patient a risk. Location of recurrence is unvalidated."


@dataclass(frozen=True, slots=True)
class Split:
    """Patients of a cohort by use."""

    train: tuple[ManifestPatient, ...]
    validation: tuple[ManifestPatient, ...]
    test: tuple[ManifestPatient, ...]

    @property
    def sizes(self) -> dict[str, int]:
        """Number of patients by use."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}


def train(
    cohort_folder: Path,
    out: Path,
    settings: TrainingSettings,
    *,
    name: str,
    title: str = "",
    progress: ProgressCallback = ignore_progress,
    on_epoch: EpochCallback = ignore_epoch,
    should_stop: Callable[[], bool] = never_stop,
) -> ModelCard:
    """Train a new network and write its bundle to ``out``.

    Stopping early, by ``should_stop`` or by patience, keeps the best epoch so far.

    Raises
    ------
    CohortError
        When the cohort cannot be used or has fewer than 20 patients.
    TrainingError
        When the loss is not a number, memory runs out, or nothing was learnt before stopping.
    StorageError
        When ``out`` exists or cannot be written.
    """
    import lightning as L

    from star_core.clinical.fields import MODEL_FIELDS
    from star_core.cohort.manifest import read_manifest
    from star_core.model.star import Star
    from star_core.training.data import CohortDataset

    refuse_filled_folder(out)
    manifest = read_manifest(cohort_folder)
    split = split_cohort(manifest, settings.seed)
    L.seed_everything(settings.seed, verbose=False)
    config = StarConfig(n_clinical=len(MODEL_FIELDS))
    network = Star(config)
    datasets = (
        CohortDataset(manifest, split.train, config, settings, training=True),
        CohortDataset(manifest, split.validation, config, settings, training=False),
    )
    run_trainer(network, datasets, settings, out=out, progress=progress, on_epoch=on_epoch, should_stop=should_stop)
    card = build_card(network, manifest, split, settings, name=name, title=title)
    return write_bundle(card, network.state_dict(), out)


def split_cohort(manifest: Manifest, seed: int) -> Split:
    """Return the manifest's own split, or one drawn by ``seed`` where it has none."""
    from star_core.cohort.splits import split_patients

    if len(manifest.patients) < MIN_PATIENTS:
        raise CohortError(
            f"Cohort {manifest.name!r} has {len(manifest.patients)} patients, expected at least {MIN_PATIENTS}.",
            remedy="Add patients: fewer cannot tell learning from chance.",
        )
    if not any(patient.outcome.cause is not None for patient in manifest.patients):
        raise CohortError(
            f"Cohort {manifest.name!r} has no patient with an event.",
            remedy="Check the outcome columns: a model of recurrence needs recurrences.",
        )
    uses = split_patients(manifest, seed=seed)
    return Split(
        *(tuple(p for p in manifest.patients if uses[p.patient_id] == use) for use in ("train", "validation", "test"))
    )


def run_trainer(
    network: Star,
    datasets: tuple[Dataset[TrainingBatch], Dataset[TrainingBatch]],
    settings: TrainingSettings,
    *,
    out: Path,
    progress: ProgressCallback,
    on_epoch: EpochCallback,
    should_stop: Callable[[], bool],
) -> None:
    """Fit ``network`` in place with Lightning and leave it with the weights of its best epoch."""
    import lightning as L
    import torch
    from torch.utils.data import DataLoader

    from star_core.training.data import collate
    from star_core.training.module import StarTask
    from star_core.training.watch import StoppedError, TrainingWatch

    train_set, validation_set = datasets
    batches = -(-len(train_set) // settings.batch_size)  # type: ignore[arg-type]
    steps = settings.epochs * -(-batches // settings.accumulate_batches)
    watch = TrainingWatch(settings, out, progress=progress, on_epoch=on_epoch, should_stop=should_stop)
    with _quiet_lightning():
        trainer = L.Trainer(
            max_epochs=settings.epochs,
            accelerator="cpu" if settings.device == "cpu" else "auto",
            devices=1,
            accumulate_grad_batches=settings.accumulate_batches,
            gradient_clip_val=1.0,
            callbacks=[watch],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
    generator = torch.Generator().manual_seed(settings.seed)
    try:
        with _quiet_lightning():
            trainer.fit(
                StarTask(network, settings, steps),
                DataLoader(
                    train_set,
                    batch_size=settings.batch_size,
                    shuffle=True,
                    collate_fn=collate,
                    generator=generator,
                ),
                DataLoader(validation_set, batch_size=settings.batch_size, collate_fn=collate),
            )
    except StoppedError:
        pass  # the best epoch so far is kept below
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            "The graphics card has too little memory for training.",
            remedy="Lower batch_size, or train with device = cpu.",
            details=str(error),
        ) from error
    watch.restore_best(network)
    network.to("cpu").eval()


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep Lightning's advertisements and remarks on its own internals from the user and from the caller's filters."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*|torch\.utils\.data\..*")
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def build_card(
    network: Star,
    manifest: Manifest,
    split: Split,
    settings: TrainingSettings,
    *,
    name: str,
    title: str,
    parent: ModelBundle | None = None,
) -> ModelCard:
    """Return the card of a trained network, with its measures on patients kept apart."""
    from star_core.clinical.fields import MODEL_FIELDS
    from star_core.evaluation.measure import measure_network
    from star_core.training.data import count_at_risk

    at_risk = count_at_risk([patient.outcome for patient in split.train])
    kept_apart, use = (split.test, "test") if split.test else (split.validation, "validation")
    measures = measure_network(network, manifest, kept_apart, at_risk, split=use, seed=settings.seed)
    synthetic = manifest.kind in ("phantom", "twin")
    return ModelCard(
        name=name,
        title=title or f"{name} ({manifest.kind} cohort)",
        demonstration=synthetic or (parent is not None and parent.card.demonstration),
        parent_id=parent.card.model_id if parent else None,
        software_version=star_core.__version__,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        architecture=network.config,
        preprocessing=dict(manifest.preprocessing),
        fields=tuple(field.name for field in MODEL_FIELDS),
        cohort=CohortCard(
            kind=manifest.kind,
            name=manifest.name,
            patients=len(manifest.patients),
            seed=manifest.seed,
            synthetic=synthetic,
            split=split.sizes,
        ),
        at_risk=at_risk,
        training=settings.model_dump(),
        measures=measures,
        intended_use=INTENDED_USE,
        not_for=NOT_FOR,
    )
