"""Progress, cancelling, patience and the best weights of a run, as one Lightning callback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import torch
from safetensors.torch import load_file, save

from star_core.errors import TrainingError
from star_core.model.star import Star
from star_core.storage import new_file
from star_core.training.run import STOPPED_EARLY, EpochCallback, EpochReport, TrainingSettings
from star_core.types import ProgressCallback


class StoppedError(Exception):
    """The user cancelled: leave the trainer at once, without validating half an epoch."""


class TrainingWatch(L.Callback):
    """Keeps the best epoch beside the output as safetensors: a cancelled or killed run loses one at most."""

    def __init__(
        self,
        settings: TrainingSettings,
        out: Path,
        *,
        progress: ProgressCallback,
        on_epoch: EpochCallback,
        should_stop: Callable[[], bool],
    ) -> None:
        self._settings, self._progress, self._on_epoch, self._should_stop = settings, progress, on_epoch, should_stop
        self._best_file = out.with_name(f".{out.name}.best.safetensors")
        self._best_loss = float("inf")
        self._best_epoch = -1
        self._done = 0
        self._train_loss = float("nan")

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Report progress and look whether the user cancelled."""
        self._done += 1
        self._progress(self._done, int(trainer.num_training_batches) * self._settings.epochs)
        if self._should_stop():
            raise StoppedError

    def on_validation_epoch_end(self, trainer: L.Trainer, task: L.LightningModule) -> None:
        """Keep the weights when the loss on unseen patients fell; stop when it has not for long."""
        loss = float(trainer.callback_metrics["validation_loss"])
        epoch = trainer.current_epoch
        if loss < self._best_loss:
            self._best_loss, self._best_epoch = loss, epoch
            network: Star = task.network  # type: ignore[assignment]
            content = save({k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()})
            with new_file(self._best_file) as partial:
                partial.parent.mkdir(parents=True, exist_ok=True)
                partial.write_bytes(content)
        elif epoch - self._best_epoch >= self._settings.patience_epochs:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: L.Trainer, task: L.LightningModule) -> None:
        """Report the epoch's losses."""
        metrics = trainer.callback_metrics
        self._on_epoch(
            EpochReport(
                epoch=trainer.current_epoch + 1,
                epochs=self._settings.epochs,
                train_loss=float(metrics.get("train_loss", torch.tensor(float("nan")))),
                validation_loss=float(metrics["validation_loss"]),
            )
        )

    def restore_best(self, network: Star) -> None:
        """Give ``network`` the weights of the best epoch.

        Raises
        ------
        TrainingError
            When the run was stopped before its first epoch was validated.
        """
        if self._best_epoch < 0:
            raise TrainingError(
                STOPPED_EARLY,
                remedy="Let at least one epoch finish.",
            )
        network.load_state_dict(load_file(self._best_file))
        self._best_file.unlink()
