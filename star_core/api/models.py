"""Training, fine-tuning and installing models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from star_core.model.registry import ModelInfo, find_model, list_models, user_models_folder
from star_core.types import ProgressCallback, ignore_progress

if TYPE_CHECKING:
    from star_core.model.bundle import ModelCard
    from star_core.training.presets import Preset
    from star_core.training.run import EpochCallback, TrainingSettings


def train(
    cohort: Path,
    out: Path,
    preset: Preset | None = None,
    *,
    name: str | None = None,
    title: str = "",
    resume: bool = False,
    progress: ProgressCallback = ignore_progress,
    on_epoch: EpochCallback | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> ModelCard:
    """Train a new model on a cohort; see :func:`star_core.training.fit.train`."""
    from star_core.training.fit import train as fit
    from star_core.training.presets import PRESETS
    from star_core.training.run import PresetName, ignore_epoch, never_stop

    return fit(
        cohort,
        out,
        preset or PRESETS[PresetName.STAR],
        name=name or _to_model_name(out),
        title=title,
        resume=resume,
        progress=progress,
        on_epoch=on_epoch or ignore_epoch,
        should_stop=should_stop or never_stop,
    )


def fine_tune(
    model: str | None,
    cohort: Path,
    out: Path,
    settings: TrainingSettings | None = None,
    *,
    heads_only: bool = True,
    name: str | None = None,
    progress: ProgressCallback = ignore_progress,
    on_epoch: EpochCallback | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> ModelCard:
    """Fine-tune a model on a cohort; see :func:`star_core.training.finetune.fine_tune`."""
    from star_core.training.finetune import HEADS, WHOLE
    from star_core.training.finetune import fine_tune as fit
    from star_core.training.run import ignore_epoch, never_stop

    return fit(
        find_model(model),
        cohort,
        out,
        settings or (HEADS if heads_only else WHOLE),
        heads_only=heads_only,
        name=name or _to_model_name(out),
        progress=progress,
        on_epoch=on_epoch or ignore_epoch,
        should_stop=should_stop or never_stop,
    )


def install_model(folder: Path) -> ModelInfo:
    """Copy a bundle into the user's models, so that it can be chosen by name; returns how it is listed.

    Raises
    ------
    BundleError
        When the bundle is damaged, or another model of its name is installed.
    StorageError
        When it cannot be copied.
    """
    from star_core.errors import BundleError
    from star_core.model.bundle import read_bundle, write_bundle

    bundle = read_bundle(folder)
    name = bundle.card.name
    for info in list_models():
        if info.name == name and Path(info.path) != folder:
            raise BundleError(
                f"A model called {name!r} is already installed.", remedy="Give the new model another name."
            )
    target = user_models_folder() / name
    if target != folder:
        write_bundle(bundle.card, bundle.weights, target)
    return next(info for info in list_models() if info.name == name)


def _to_model_name(folder: Path) -> str:
    kept = "".join(letter if letter.isalnum() else "-" for letter in folder.name.lower() if letter.isascii())
    return kept.strip("-")[:64] or "model"
