"""The training task: what one step minimises."""

from __future__ import annotations

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from star_core.errors import TrainingError
from star_core.model.predict import mixed_precision
from star_core.model.projector import Rates
from star_core.model.star import Star
from star_core.training.data import TrainingBatch
from star_core.training.losses import (
    OutcomeBatch,
    alignment_loss,
    competing_nll,
    disentanglement_loss,
    survival_nll,
)
from star_core.training.run import TrainingSettings


class StarTask(L.LightningModule):
    """Likelihood of causes, sites and death, plus the paper's alignment, disentanglement and reconstruction terms."""

    def __init__(self, network: Star, settings: TrainingSettings, total_steps: int) -> None:
        super().__init__()
        self.network, self.settings, self.total_steps = network, settings, total_steps

    def training_step(self, batch: TrainingBatch, batch_index: int) -> Tensor:
        """Return the loss of one batch."""
        keep_recon = self.settings.reconstruction_weight > 0 and batch.features is None
        features = batch.features
        if features is None:
            with mixed_precision(self.device):
                features = self.network.track(batch.star, keep_recon=keep_recon)
        rates, fused = self.network.project(features, batch.star)
        config, settings = self.network.config, self.settings
        loss = likelihood_loss(rates, batch.outcome) + member_loss(rates, batch)
        loss = loss + settings.alignment_weight * alignment_loss(fused.image, fused.clinical, fused.recon, config.align)
        loss = loss + settings.disentanglement_weight * disentanglement_loss(
            fused.image, fused.clinical, config.disentangle
        )
        if features.recon is not None:
            # Only slots that hold a real scan count; with one scan every slot holds it.
            loss = loss + settings.reconstruction_weight * (features.recon - batch.star.channels[:, :1]).abs().mean()
        if not torch.isfinite(loss):
            raise TrainingError(
                f"The loss is not a number at patient {', '.join(batch.patient_ids)}.",
                remedy="Check this patient's scan, or lower the learning rate.",
            )
        self.log("train_loss", loss.detach(), on_step=False, on_epoch=True, batch_size=len(batch.patient_ids))
        return loss

    def validation_step(self, batch: TrainingBatch, batch_index: int) -> None:
        """Log the likelihood of one batch of patients that were not trained on."""
        features = batch.features
        if features is None:
            with mixed_precision(self.device):
                features = self.network.track(batch.star)
        rates, _ = self.network.project(features, batch.star)
        self.log("validation_loss", likelihood_loss(rates, batch.outcome), batch_size=len(batch.patient_ids))

    def transfer_batch_to_device(
        self, batch: TrainingBatch, device: torch.device, dataloader_index: int
    ) -> TrainingBatch:
        """Move a batch; Lightning cannot look into frozen values by itself."""
        return batch.to(device)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW with a short warm-up and cosine decay."""
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(
            parameters, lr=self.settings.learning_rate, weight_decay=self.settings.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=self.settings.learning_rate, total_steps=max(self.total_steps, 2), pct_start=0.1
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def likelihood_loss(rates: Rates, outcome: OutcomeBatch) -> Tensor:
    """Return the mean negative log-likelihood of the first event, its site where recorded, and death."""
    site_rate = None
    if outcome.site_ml is not None:
        site_rate = torch.einsum("btzyx,bzyx->bt", rates.liver_per_tissue_ml, outcome.site_ml)
    first_event = competing_nll(rates.causes, outcome, site_rate)
    return (first_event + survival_nll(rates.death, outcome.survival_months, outcome.died)).mean()


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
