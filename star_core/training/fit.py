"""Training a network on a cohort, from manifest to bundle."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import star_core
from star_core.errors import CohortError, TrainingError
from star_core.imaging.preprocess import PreprocessConfig
from star_core.model.bundle import CohortCard, Measure, ModelBundle, ModelCard, write_bundle
from star_core.model.config import ComparatorConfig, StarConfig
from star_core.storage import refuse_filled_folder
from star_core.training.presets import PRESETS, Preset, check_preparation
from star_core.training.run import EpochCallback, PresetName, TrainingSettings, ignore_epoch, never_stop
from star_core.types import ProgressCallback, ignore_progress

if TYPE_CHECKING:
    from lightning import Trainer
    from torch.utils.data import Dataset, Sampler

    from star_core.cohort.manifest import Manifest
    from star_core.cohort.splits import Split
    from star_core.model.star import Network
    from star_core.training.data import TrainingBatch
    from star_core.training.watch import TrainingWatch

MIN_PATIENTS = 20
INTENDED_USE = "Research on recurrence after resection of colorectal liver metastases; teaching; trying this program."
NOT_FOR = "Diagnosis, treatment decisions, or telling a patient a risk. Location of recurrence is unvalidated."


def train(
    cohort_folder: Path,
    out: Path,
    preset: Preset = PRESETS[PresetName.STAR],
    *,
    name: str,
    title: str = "",
    resume: bool = False,
    progress: ProgressCallback = ignore_progress,
    on_epoch: EpochCallback = ignore_epoch,
    should_stop: Callable[[], bool] = never_stop,
) -> ModelCard:
    """Train a new network and write its bundle to ``out``.

    Stopping early, by ``should_stop`` or by patience, keeps the best epoch so far. A killed run leaves its last epoch
    in a hidden folder beside ``out``; with ``resume`` it goes on to the same numbers as if it had never stopped.
    With several processes, those that only help end here once the network is trained.

    Raises
    ------
    CohortError
        When the cohort cannot be used, has fewer than 20 patients, or was not prepared as the preset wants.
    TrainingError
        When the loss is not a number, memory runs out, nothing was learnt before stopping, or there is nothing to
        resume.
    StorageError
        When ``out`` exists or cannot be written.
    """
    from star_core.clinical.fields import MODEL_FIELDS
    from star_core.cohort.manifest import read_manifest
    from star_core.evaluation.measure import measure_folds
    from star_core.training.watch import RunState

    refuse_filled_folder(out)
    manifest = read_manifest(cohort_folder)
    preprocessing = PreprocessConfig.model_validate(manifest.preprocessing)
    check_preparation(preset, preprocessing, manifest.name)
    split = split_cohort(manifest, preset.settings.seed)
    config = preset.build_architecture(len(MODEL_FIELDS), preprocessing.grid_shape)
    network = fit_network(
        config,
        manifest,
        split,
        preset.settings,
        out=out,
        resume=resume,
        progress=progress,
        on_epoch=on_epoch,
        should_stop=should_stop,
    )
    measures = None
    if not config.sees_scan:

        def fit_part(part: Split) -> Network:
            return fit_aside(config, manifest, part, preset.settings, scratch=out.with_name(f"{out.name}-fold"))

        measures = measure_folds(fit_part, manifest, seed=preset.settings.seed, device=preset.settings.device)
    card = build_card(network, manifest, split, preset.settings, name=name, title=title, measures=measures)
    card = write_bundle(card, network.state_dict(), out)
    RunState(out).discard()
    return card


def split_cohort(manifest: Manifest, seed: int) -> Split:
    """Return the manifest's own split, or one drawn by ``seed`` where it has none.

    Raises
    ------
    CohortError
        When there are too few patients, or none with an event.
    """
    from star_core.cohort.splits import Split, split_patients

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


def fit_network(
    config: StarConfig | ComparatorConfig,
    manifest: Manifest,
    split: Split,
    settings: TrainingSettings,
    *,
    out: Path,
    resume: bool = False,
    progress: ProgressCallback = ignore_progress,
    on_epoch: EpochCallback = ignore_epoch,
    should_stop: Callable[[], bool] = never_stop,
) -> Network:
    """Return a new network fitted to a split; ``out`` names the run, whose state stays beside it until discarded."""
    import torch

    from star_core.cohort.manifest import manifest_sha256
    from star_core.model.build import build_network
    from star_core.model.comparators.cox_network import CoxNetwork, fit_cox_network
    from star_core.training.data import CohortDataset, prepare_network

    torch.manual_seed(settings.seed)
    network = build_network(config)
    if isinstance(network, CoxNetwork):
        fit_cox_network(network, (*split.train, *split.validation), seed=settings.seed)
        return network.eval()
    train_set = CohortDataset(manifest, split.train, config, settings, training=True)
    validation_set = CohortDataset(manifest, split.validation, config, settings, training=False)
    prepare_network(network, train_set)
    run_trainer(
        network,
        (train_set, validation_set),
        settings,
        out=out,
        cohort_sha256=manifest_sha256(manifest),
        resume=resume,
        progress=progress,
        on_epoch=on_epoch,
        should_stop=should_stop,
    )
    return network


def fit_aside(
    config: StarConfig | ComparatorConfig,
    manifest: Manifest,
    split: Split,
    settings: TrainingSettings,
    *,
    scratch: Path,
    progress: ProgressCallback = ignore_progress,
) -> Network:
    """Return a new network fitted to a split, nothing else of it kept; ``scratch`` is a path for the run's state."""
    from star_core.training.watch import RunState

    RunState(scratch).discard()
    network = fit_network(config, manifest, split, settings, out=scratch, progress=progress)
    RunState(scratch).discard()
    return network


def run_trainer(
    network: Network,
    datasets: tuple[Dataset[TrainingBatch], Dataset[TrainingBatch]],
    settings: TrainingSettings,
    *,
    out: Path,
    cohort_sha256: str,
    resume: bool,
    progress: ProgressCallback,
    on_epoch: EpochCallback,
    should_stop: Callable[[], bool],
) -> None:
    """Fit ``network`` in place with Lightning and leave it with the weights of its best epoch."""
    import torch
    from torch.utils.data import DataLoader

    from star_core.model.predict import choose_device, lay_out
    from star_core.training.data import collate
    from star_core.training.module import StarTask
    from star_core.training.watch import RunIdentity, RunState, StoppedError, TrainingWatch

    train_set, validation_set = datasets
    state = RunState(out)
    checkpoint: Path | None = state.last if resume else None
    if is_first_process():
        identity = RunIdentity(
            cohort_sha256=cohort_sha256, architecture=network.config.model_dump(mode="json"), settings=settings
        )
        checkpoint = state.begin(identity, resume=resume)
    watch = TrainingWatch(
        settings,
        state,
        progress=progress,
        on_epoch=on_epoch,
        should_stop=should_stop,
        set_epoch=lambda epoch: setattr(train_set, "epoch", epoch),
    )
    trainer = _build_trainer(settings, watch)
    lay_out(network, choose_device(settings.device))
    # Loaders draw a number each time they start; from the common generator it would shift what a resumed run draws.
    aside = torch.Generator().manual_seed(settings.seed)
    loaders = (
        DataLoader(
            train_set,
            batch_size=settings.batch_size,
            sampler=_sampler(train_set, settings),
            shuffle=settings.processes > 1,
            collate_fn=collate,
            generator=aside,
        ),
        DataLoader(validation_set, batch_size=settings.batch_size, collate_fn=collate, generator=aside),
    )
    batches = -(-len(train_set) // (settings.batch_size * settings.processes))  # type: ignore[arg-type]
    steps = settings.epochs * -(-batches // settings.accumulate_batches)
    try:
        with _quiet_lightning():
            trainer.fit(StarTask(network, settings, steps), *loaders, ckpt_path=checkpoint, weights_only=True)
    except StoppedError:
        pass  # the best epoch so far is kept below
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(error) from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        raise _out_of_memory(error) from error
    if not trainer.is_global_zero:
        raise SystemExit(0)  # a process that only helped; the first one writes the model
    state.restore_best(network)
    network.to("cpu").eval()


def is_first_process() -> bool:
    """Tell whether this process leads a distributed run; Lightning and cluster managers number the others."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"))


def _build_trainer(settings: TrainingSettings, watch: TrainingWatch) -> Trainer:
    import lightning as L
    from lightning.pytorch.strategies import DDPStrategy

    from star_core.model.predict import choose_device

    with _quiet_lightning():
        return L.Trainer(
            max_epochs=settings.epochs,
            accelerator="gpu" if choose_device(settings.device).type == "cuda" else "cpu",
            devices=settings.devices,
            num_nodes=settings.nodes,
            # Heads may be frozen, and members send no gradient back: not every weight takes part in every loss.
            strategy=DDPStrategy(find_unused_parameters=True) if settings.processes > 1 else "auto",
            accumulate_grad_batches=settings.accumulate_batches,
            gradient_clip_val=1.0,
            callbacks=[watch],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )


def _sampler(train_set: Dataset[TrainingBatch], settings: TrainingSettings) -> Sampler[int] | None:
    """Return an order of patients that depends on seed and epoch alone; Lightning tells it the epoch.

    With several processes Lightning deals out the patients by a sampler of its own.
    """
    from torch.utils.data.distributed import DistributedSampler

    if settings.processes > 1:
        return None
    return DistributedSampler(train_set, num_replicas=1, rank=0, seed=settings.seed)


def _out_of_memory(error: BaseException) -> TrainingError:
    return TrainingError(
        "There is too little memory for training.",
        remedy="Lower batch_size, make the cohort on a coarser grid (--reduce), or train on the processor.",
        details=str(error),
    )


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
    network: Network,
    manifest: Manifest,
    split: Split,
    settings: TrainingSettings,
    *,
    name: str,
    title: str,
    parent: ModelBundle | None = None,
    measures: tuple[Measure, ...] | None = None,
) -> ModelCard:
    """Return the card of a trained network with its ``measures``; on patients kept apart where none are given."""
    from star_core.clinical.fields import MODEL_FIELDS
    from star_core.evaluation.measure import measure_network
    from star_core.training.data import count_at_risk

    at_risk = count_at_risk([patient.outcome for patient in split.train])
    kept_apart, use = (split.test, "test") if split.test else (split.validation, "validation")
    if measures is None:
        measures = measure_network(network, manifest, kept_apart, at_risk, split=use, seed=settings.seed)
    synthetic = manifest.is_synthetic
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
            left_out=len({entry.patient_id for entry in manifest.left_out if entry.patient_id}),
            seed=manifest.seed,
            synthetic=synthetic,
            split=split.sizes,
        ),
        at_risk=at_risk,
        training=settings.model_dump(mode="json"),
        measures=measures,
        intended_use=INTENDED_USE,
        not_for=NOT_FOR,
    )
