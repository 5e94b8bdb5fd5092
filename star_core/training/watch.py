"""Progress, cancelling, patience, and what a killed run needs to go on, as one Lightning callback."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.torch import load_file, save

from star_core.errors import TrainingError
from star_core.model.star import Network
from star_core.storage import new_file
from star_core.training.run import STOPPED_EARLY, EpochCallback, EpochReport, TrainingSettings
from star_core.types import ProgressCallback


class StoppedError(Exception):
    """The user cancelled: leave the trainer at once, without validating half an epoch."""


class RunIdentity(BaseModel):
    """What must be the same for a killed run to go on: ``cohort_sha256`` is that of the manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cohort_sha256: str
    architecture: dict[str, Any]
    settings: TrainingSettings


class RunState:
    """A hidden folder beside the output, with the last epoch's state and the best weights of a run.

    The state is a Lightning checkpoint of this run's own, read back as plain tensors and numbers only; weights leave
    training as safetensors.
    """

    def __init__(self, out: Path) -> None:
        self.folder = out.with_name(f".{out.name}.training")
        self.last = self.folder / "last.ckpt"
        self.best = self.folder / "best.safetensors"
        self._identity = self.folder / "run.json"

    def begin(self, identity: RunIdentity, *, resume: bool) -> Path | None:
        """Return the checkpoint to go on from, or ``None`` for a new run.

        Raises
        ------
        TrainingError
            When an interrupted run is there and was not asked for, or the other way round, or is not this one.
        """
        name = self.folder.name
        if not resume and self.last.is_file():
            raise TrainingError(
                f"An interrupted training was found in {name!r}, beside the output.",
                remedy="Add --resume to go on with it, or delete that folder to begin again.",
            )
        if not resume:
            shutil.rmtree(self.folder, ignore_errors=True)
            with new_file(self._identity) as partial:
                partial.parent.mkdir(parents=True, exist_ok=True)
                partial.write_text(identity.model_dump_json(indent=1) + "\n", encoding="utf-8")
            return None
        if not self.last.is_file():
            raise TrainingError(
                f"There is no interrupted training in {name!r} that has finished an epoch.",
                remedy="Train without --resume.",
            )
        self._check(identity)
        return self.last

    def _check(self, identity: RunIdentity) -> None:
        try:
            begun = RunIdentity.model_validate_json(self._identity.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise TrainingError(
                f"The interrupted training in {self.folder.name!r} cannot be read.",
                remedy="Delete that folder and begin again.",
                details=str(error),
            ) from error
        parts = ("cohort_sha256", "architecture", "settings")
        different = [part for part in parts if getattr(begun, part) != getattr(identity, part)]
        if different:
            raise TrainingError(
                f"The interrupted training in {self.folder.name!r} differs in: {', '.join(different)}.",
                remedy="Repeat the command as it was first given, with --resume, or delete that folder.",
            )

    def keep_best(self, network: Network) -> None:
        """Write the weights of the best epoch so far."""
        content = save({k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()})
        with new_file(self.best) as partial:
            partial.write_bytes(content)

    def restore_best(self, network: Network) -> None:
        """Give ``network`` the weights of the best epoch.

        Raises
        ------
        TrainingError
            When the run was stopped before its first epoch was validated.
        """
        if not self.best.is_file():
            self.discard()
            raise TrainingError(STOPPED_EARLY, remedy="Let at least one epoch finish.")
        network.load_state_dict(load_file(self.best))

    def discard(self) -> None:
        """Remove everything: the run has ended."""
        shutil.rmtree(self.folder, ignore_errors=True)


class TrainingWatch(L.Callback):
    """Keeps the best epoch and the last one: a cancelled run gives its best, a killed one loses less than an epoch."""

    def __init__(
        self,
        settings: TrainingSettings,
        state: RunState,
        *,
        progress: ProgressCallback,
        on_epoch: EpochCallback,
        should_stop: Callable[[], bool],
        set_epoch: Callable[[int], None],
    ) -> None:
        self._settings, self._state = settings, state
        self._progress, self._on_epoch, self._should_stop = progress, on_epoch, should_stop
        self._set_epoch = set_epoch
        self._best_loss = float("inf")
        self._best_epoch = -1
        self._done = 0

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run must know."""
        return {"best_loss": self._best_loss, "best_epoch": self._best_epoch, "done": self._done}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what the killed run knew."""
        self._best_loss, self._best_epoch = float(state_dict["best_loss"]), int(state_dict["best_epoch"])
        self._done = int(state_dict["done"])

    def on_train_epoch_start(self, trainer: L.Trainer, task: L.LightningModule) -> None:
        """Seed the epoch by its number, so that a resumed run draws the same."""
        epoch = trainer.current_epoch
        torch.manual_seed(self._settings.seed * 1_000_003 + epoch * 1_009 + trainer.global_rank)
        self._set_epoch(epoch)

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Report progress and look whether the user cancelled."""
        self._done += 1
        if trainer.is_global_zero:
            self._progress(self._done, int(trainer.num_training_batches) * self._settings.epochs)
        if self._should_stop():
            raise StoppedError

    def on_validation_epoch_end(self, trainer: L.Trainer, task: L.LightningModule) -> None:
        """Keep the weights when the loss on unseen patients fell; stop when it has not for long."""
        loss = float(trainer.callback_metrics["validation_loss"])
        epoch = trainer.current_epoch
        if loss < self._best_loss:
            self._best_loss, self._best_epoch = loss, epoch
            if trainer.is_global_zero:
                self._state.keep_best(task.network)  # type: ignore[arg-type]
        elif epoch - self._best_epoch >= self._settings.patience_epochs:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: L.Trainer, task: L.LightningModule) -> None:
        """Report the epoch's losses and keep the run's state."""
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self._state.last)  # writes nothing here, but every process must come along
            return
        metrics = trainer.callback_metrics
        self._on_epoch(
            EpochReport(
                epoch=trainer.current_epoch + 1,
                epochs=self._settings.epochs,
                train_loss=float(metrics.get("train_loss", torch.tensor(float("nan")))),
                validation_loss=float(metrics["validation_loss"]),
            )
        )
        with new_file(self._state.last) as partial:
            trainer.save_checkpoint(partial)
