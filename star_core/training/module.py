"""The training task: what one step minimises."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerConfig, OptimizerLRSchedulerConfig
from torch import Tensor

from star_core.errors import TrainingError
from star_core.model.config import Part, StarConfig
from star_core.model.integrator import FusedFeatures
from star_core.model.predict import mixed_precision
from star_core.model.projector import Rates
from star_core.model.star import Network, StarBatch
from star_core.model.tracker import ImageFeatures
from star_core.training.data import TrainingBatch
from star_core.training.losses import (
    OutcomeBatch,
    alignment_loss,
    competing_nll,
    disentanglement_loss,
    reconstruction_loss,
    survival_nll,
    year_class_nll,
)
from star_core.training.run import Schedule, TrainingSettings

PLATEAU_FACTOR, PLATEAU_PATIENCE_EPOCHS = 0.5, 5


class StarTask(L.LightningModule):
    """Likelihood of causes, sites and death, plus the paper's alignment, disentanglement and reconstruction terms."""

    def __init__(self, network: Network, settings: TrainingSettings, total_steps: int) -> None:
        super().__init__()
        self.network, self.settings, self.total_steps = network, settings, total_steps
        self._plateau: torch.optim.lr_scheduler.ReduceLROnPlateau | None = None
        self._plateau_state: dict[str, Any] | None = None

    def on_train_start(self) -> None:
        """Put a resumed run's plateau schedule where it was."""
        if self._plateau is not None and self._plateau_state is not None:
            self._plateau.load_state_dict(self._plateau_state)

    def training_step(self, batch: TrainingBatch, batch_index: int) -> Tensor:
        """Return the loss of one batch, and refuse to go on when it is not a number."""
        loss = self.compute_loss(batch)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"The loss is not a number at patient {', '.join(batch.patient_ids)}.",
                remedy="Check this patient's scan, or lower the learning rate.",
            )
        self.log("train_loss", loss.detach(), on_step=False, on_epoch=True, batch_size=len(batch.patient_ids))
        return loss

    def compute_loss(self, batch: TrainingBatch) -> Tensor:
        """Return everything that one step minimises."""
        keeps_recon = self.settings.reconstruction_weight > 0 and isinstance(self.network.config, StarConfig)
        features = self._track(batch, keep_recon=keeps_recon)
        rates, fused = self.network.project(features, batch.star)
        loss = outcome_loss(rates, batch.outcome, self.settings) + member_loss(rates, batch)
        return loss + self._shape_loss(features, fused, batch.star)

    def validation_step(self, batch: TrainingBatch, batch_index: int) -> None:
        """Log the likelihood of one batch of patients that were not trained on."""
        rates, _ = self.network.project(self._track(batch), batch.star)
        self.log(
            "validation_loss",
            outcome_loss(rates, batch.outcome, self.settings),
            batch_size=len(batch.patient_ids),
            sync_dist=self.settings.processes > 1,
        )

    def on_validation_epoch_end(self) -> None:
        """Step the plateau schedule here: Lightning would step it after the epoch's state was saved."""
        if self._plateau is not None:
            self._plateau.step(float(self.trainer.callback_metrics["validation_loss"]))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the plateau schedule's state."""
        if self._plateau is not None:
            checkpoint["plateau"] = self._plateau.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the plateau schedule's state until there is an optimiser to schedule."""
        self._plateau_state = checkpoint.get("plateau")

    def _track(self, batch: TrainingBatch, *, keep_recon: bool = False) -> ImageFeatures:
        if batch.features is not None:
            return batch.features
        with mixed_precision(self.device):
            return self.network.track(batch.star, keep_recon=keep_recon)

    def _shape_loss(self, features: ImageFeatures, fused: FusedFeatures, batch: StarBatch) -> Tensor:
        """Return the weighted terms on features: alignment (part B), disentanglement (C), reconstruction."""
        config, settings = self.network.config, self.settings
        loss = fused.fused.new_zeros(()) if features.extra_loss is None else features.extra_loss
        if not isinstance(config, StarConfig):
            return loss
        if fused.image is not None and fused.clinical is not None and fused.recon is not None:
            loss = settings.alignment_weight * alignment_loss(fused.image, fused.clinical, fused.recon, config.align)
            if Part.C in config.parts:
                loss = loss + settings.disentanglement_weight * disentanglement_loss(
                    fused.image, fused.clinical, config.disentangle
                )
        if features.recon is not None:
            loss = loss + settings.reconstruction_weight * reconstruction_loss(
                features.recon, batch.scans[:, 0][batch.slots]
            )
        return loss

    def transfer_batch_to_device(
        self, batch: TrainingBatch, device: torch.device, dataloader_index: int
    ) -> TrainingBatch:
        """Move a batch; Lightning cannot look into frozen values by itself."""
        return batch.to(device)

    def configure_optimizers(self) -> OptimizerConfig | OptimizerLRSchedulerConfig:
        """AdamW with the settings' schedule."""
        settings = self.settings
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
        if settings.schedule is Schedule.PLATEAU:
            self._plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer, factor=PLATEAU_FACTOR, patience=PLATEAU_PATIENCE_EPOCHS
            )
            return {"optimizer": optimizer}
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=settings.learning_rate, total_steps=max(self.total_steps, 2), pct_start=0.1
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def outcome_loss(rates: Rates, outcome: OutcomeBatch, settings: TrainingSettings) -> Tensor:
    """Return the weighted mean loss of survival and of the first event, with its site where recorded."""
    if rates.years is not None:
        death = year_class_nll(rates.years.survival, outcome.survival_months)
        event = year_class_nll(rates.years.recurrence, outcome.event_months)
    else:
        site_rate = None
        if outcome.site_ml is not None:
            site_rate = torch.einsum("btzyx,bzyx->bt", rates.liver_per_tissue_ml, outcome.site_ml)
        death = survival_nll(rates.death, outcome.survival_months, outcome.died)
        event = competing_nll(rates.causes, outcome, site_rate)
    return (settings.survival_weight * death + settings.recurrence_weight * event).mean()


def member_loss(rates: Rates, batch: TrainingBatch) -> Tensor:
    """Return the bootstrap members' weighted likelihood; it moves only the members' own weights."""
    members = rates.member_causes.shape[1]
    outcome = batch.outcome
    repeated = OutcomeBatch(
        event_months=outcome.event_months.repeat_interleave(members),
        cause=outcome.cause.repeat_interleave(members),
        survival_months=outcome.survival_months.repeat_interleave(members),
        died=outcome.died.repeat_interleave(members),
    )
    nll = competing_nll(rates.member_causes.flatten(0, 1), repeated)
    nll = nll + survival_nll(rates.member_death.flatten(0, 1), repeated.survival_months, repeated.died)
    return (nll * batch.member_weights.flatten()).mean()
