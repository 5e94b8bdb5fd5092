"""Fine-tuning a model on a centre's own patients: the heads by default, the whole network on request."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from star_core.errors import BundleError, CohortError
from star_core.imaging.preprocess import PreprocessConfig
from star_core.model.bundle import ModelCard, read_bundle, read_preprocessing, write_bundle
from star_core.storage import refuse_filled_folder
from star_core.training.fit import build_card, run_trainer, split_cohort
from star_core.training.run import EpochCallback, TrainingSettings, ignore_epoch, never_stop
from star_core.types import ProgressCallback, ignore_progress

if TYPE_CHECKING:
    from torch.utils.data import Dataset

    from star_core.training.data import TrainingBatch

HEAD_PARTS = ("integrator", "projector")
HEADS = TrainingSettings(epochs=20, batch_size=4, accumulate_batches=2, learning_rate=1e-3, patience_epochs=5)
WHOLE = TrainingSettings(epochs=8, learning_rate=3e-4)


def fine_tune(
    model_folder: Path,
    cohort_folder: Path,
    out: Path,
    settings: TrainingSettings = HEADS,
    *,
    heads_only: bool = True,
    name: str,
    progress: ProgressCallback = ignore_progress,
    on_epoch: EpochCallback = ignore_epoch,
    should_stop: Callable[[], bool] = never_stop,
) -> ModelCard:
    """Fine-tune a bundle on a cohort and write a new bundle whose card names its parent.

    With ``heads_only`` the tracker stays as it is and sees each scan once; integrator and projector learn.

    Raises
    ------
    BundleError
        When the model is damaged or its inputs are not this version's.
    CohortError, TrainingError, StorageError, CancelledError
        As for :func:`star_core.training.fit.train`.
    """
    import torch

    from star_core.clinical.fields import MODEL_FIELDS
    from star_core.cohort.manifest import manifest_sha256, read_manifest
    from star_core.training.data import CohortDataset, TrackedDataset
    from star_core.training.watch import RunState

    refuse_filled_folder(out)
    parent = read_bundle(model_folder)
    if parent.card.fields != tuple(field.name for field in MODEL_FIELDS):
        raise BundleError(
            f"Model {parent.card.name!r} was trained on other clinical fields than this version has.",
            remedy="Fine-tune with the version that made it, or start from another model.",
        )
    manifest = read_manifest(cohort_folder)
    if PreprocessConfig.model_validate(manifest.preprocessing) != read_preprocessing(parent.card):
        raise CohortError(
            f"The scans of cohort {manifest.name!r} were not prepared as model {parent.card.name!r} wants them.",
            remedy="Make the cohort again with the model's preprocessing, or start from another model.",
        )
    split = split_cohort(manifest, settings.seed)
    torch.manual_seed(settings.seed)
    network = parent.build_network()
    config = network.config
    datasets: tuple[Dataset[TrainingBatch], Dataset[TrainingBatch]] = (
        CohortDataset(manifest, split.train, config, settings, training=not heads_only),
        CohortDataset(manifest, split.validation, config, settings, training=False),
    )
    if heads_only:
        for part_name, part in network.named_children():
            part.requires_grad_(part_name in HEAD_PARTS)
        datasets = (
            TrackedDataset(network, datasets[0], settings.device, progress, should_stop),
            TrackedDataset(network, datasets[1], settings.device, progress, should_stop),
        )
    state = RunState(out)
    state.discard()
    run_trainer(
        network,
        datasets,
        settings,
        out=out,
        cohort_sha256=manifest_sha256(manifest),
        resume=False,
        progress=progress,
        on_epoch=on_epoch,
        should_stop=should_stop,
    )
    card = build_card(
        network, manifest, split, settings, name=name, title=f"{name} (from {parent.card.name})", parent=parent
    )
    card = write_bundle(card, network.state_dict(), out)
    state.discard()
    return card
