"""Networks that STAR is compared with: another encoder of the scan, the same record, the same heads and losses.

Scan and record are added as in STAR's last step, so a difference between two rows of a table is the encoder's.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from star_core.errors import TrainingError
from star_core.model.comparators.nodes import N_PLAIN, N_RADIOMICS
from star_core.model.config import ComparatorConfig
from star_core.model.inputs import N_CHANNELS
from star_core.model.integrator import ClinicalEncoder, FusedFeatures
from star_core.model.projector import Projector, Rates
from star_core.model.star import Network, StarBatch
from star_core.model.tracker import ImageFeatures

_CHANNELS = (16, 32, 64, 96)
_CODE = 24
_NEAR_MM = 40.0


class ComparatorNetwork(Network):
    """An encoder of the scan, fused with the record, under STAR's heads."""

    def __init__(self, config: ComparatorConfig) -> None:
        super().__init__()
        self.config: ComparatorConfig = config
        self.encoder = _build_encoder(config)
        self.record = ClinicalEncoder(config.n_clinical, config.width, config.dropout) if config.uses_record else None
        self.projector = Projector(config)

    def track(self, batch: StarBatch, *, keep_recon: bool = False) -> ImageFeatures:
        """Return the features of the scan before surgery."""
        features: ImageFeatures = self.encoder(batch)
        return features

    def project(self, features: ImageFeatures, batch: StarBatch) -> tuple[Rates, FusedFeatures]:
        """Return the rates and the fused features of scans' features with records."""
        fused = features.pooled
        if self.record is not None:
            fused = fused + self.record(batch.clinical, batch.missing)[:, None]
        return self.projector(fused, None, batch.at_risk_ml), FusedFeatures(fused)


def _build_encoder(config: ComparatorConfig) -> nn.Module:
    match config.network:
        case "cnn3d":
            return VolumeEncoder(config, PlainCnn(N_CHANNELS[config.input_channels], config.width))
        case "aminn":
            return AminnEncoder(config)
        case "stg":
            return StgEncoder(config)
        case _:
            return VolumeEncoder(config, _build_resnet(config))


class VolumeEncoder(nn.Module):
    """A network of the first scan's voxels; all years share its features."""

    def __init__(self, config: ComparatorConfig, network: nn.Module) -> None:
        super().__init__()
        self.n_years, self.network = config.n_years, network
        self.mixes_precision = config.network == "cnn3d"

    def forward(self, batch: StarBatch) -> ImageFeatures:
        """Return features of each year (B, T, d)."""
        scans = batch.scans[batch.slots[:, 0]]
        # The bfloat16 weight gradient of a deep residual layer on few cells is infinite on processors (torch 2.13).
        mixed = torch.is_autocast_enabled(scans.device.type) and (self.mixes_precision or scans.is_cuda)
        with torch.autocast(scans.device.type, enabled=mixed):
            pooled: Tensor = self.network(scans).float()
        return ImageFeatures(pooled=pooled[:, None].expand(-1, self.n_years, -1))


class PlainCnn(nn.Sequential):
    """Four strided 3x3x3 convolutions and a mean over space: the ablation's baseline with the record beside it."""

    def __init__(self, in_channels: int, width: int) -> None:
        layers: list[nn.Module] = []
        for before, after in zip((in_channels, *_CHANNELS[:-1]), _CHANNELS, strict=True):
            layers += [nn.Conv3d(before, after, 3, stride=2, padding=1), nn.GroupNorm(4, after), nn.GELU()]
        super().__init__(*layers, nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(_CHANNELS[-1], width))


def _build_resnet(config: ComparatorConfig) -> nn.Module:
    """Return MONAI's 3D ResNet (doi 10.1109/ICCVW.2017.373) with the stride of 2 that its first layer has in the paper.

    Groups are normalised instead of batches, since a batch is one patient.
    """
    try:
        from monai.networks.nets import resnet
    except ImportError as error:
        raise TrainingError("The ResNets need the library MONAI.", remedy="Install it: pip install monai.") from error
    network = getattr(resnet, config.network)(
        spatial_dims=3,
        n_input_channels=N_CHANNELS[config.input_channels],
        num_classes=config.width,
        conv1_t_stride=2,
    )
    _normalise_groups(network)
    return cast(nn.Module, network)


def _normalise_groups(module: nn.Module) -> None:
    """Put group norms in the place of batch norms; MONAI's own option changes the first of them only."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm3d):
            setattr(module, name, nn.GroupNorm(8, child.num_features))
        else:
            _normalise_groups(child)


class AminnEncoder(nn.Module):
    """AMINN: an autoencoder over lesions' radiomic features with attention pooling (doi 10.1007/978-3-030-87240-3_72).

    Features are brought to size in its two steps: signed logarithm, then the training lesions' mean and deviation.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: ComparatorConfig) -> None:
        super().__init__()
        self.n_years = config.n_years
        self.register_buffer("mean", torch.zeros(N_RADIOMICS))
        self.register_buffer("deviation", torch.ones(N_RADIOMICS))
        self.encode = nn.Sequential(nn.Linear(N_RADIOMICS, 48), nn.GELU(), nn.Dropout(0.2), nn.Linear(48, _CODE))
        self.decode = nn.Sequential(nn.Linear(_CODE, 48), nn.GELU(), nn.Linear(48, N_RADIOMICS))
        self.score = nn.Linear(_CODE, 32)
        self.gate = nn.Linear(_CODE, 32)
        self.attend = nn.Linear(32, 1)
        self.out = nn.Linear(_CODE, config.width)

    def standardise(self, features: Tensor, present: Tensor) -> None:
        """Take mean and deviation from the training lesions, ``features`` (P, L, F) and ``present`` (P, L)."""
        lesions = to_log(features[present > 0])
        if len(lesions) > 1:
            self.mean.copy_(lesions.mean(dim=0))
            self.deviation.copy_(lesions.std(dim=0).clamp(min=1e-3))

    def forward(self, batch: StarBatch) -> ImageFeatures:
        """Return features of each year (B, T, d), and the autoencoder's loss."""
        assert batch.nodes is not None
        features = ((to_log(batch.nodes.features) - self.mean) / self.deviation).clamp(-6.0, 6.0)
        present = batch.nodes.present
        code = self.encode(features)
        weight = self.attend(torch.tanh(self.score(code)) * torch.sigmoid(self.gate(code)))[..., 0]
        # A patient without a visible lesion has no weights; the sum of nothing is zero.
        weight = torch.softmax(weight.masked_fill(present == 0, -1e4), dim=1) * present
        pooled = self.out((weight[..., None] * code).sum(dim=1)).float()
        error = (F.mse_loss(self.decode(code), features, reduction="none").mean(dim=-1) * present).sum()
        return ImageFeatures(
            pooled=pooled[:, None].expand(-1, self.n_years, -1), extra_loss=error / present.sum().clamp(min=1.0)
        )


def to_log(features: Tensor) -> Tensor:
    """Return ``sign(x) log(1 + |x|)``."""
    return features.sign() * features.abs().log1p()


class StgEncoder(nn.Module):
    """STG: graph over lesions and liver regions, then years, with the two parts gated apart.

    Neighbours pass messages weighted by ``exp(-distance / 40 mm)``; a recurrent layer follows the pooled graph along
    the years; a gate weighs what is spatial against what is temporal.
    """

    def __init__(self, config: ComparatorConfig) -> None:
        super().__init__()
        width = config.width
        self.enter = nn.Linear(N_PLAIN, width)
        self.spread1, self.spread2 = nn.Linear(2 * width, width), nn.Linear(2 * width, width)
        self.score = nn.Linear(width, 1)
        self.years = nn.Parameter(torch.randn(config.n_years, width) * 0.1)
        self.along = nn.GRU(width, width, batch_first=True)
        self.gate = nn.Linear(2 * width, width)

    def forward(self, batch: StarBatch) -> ImageFeatures:
        """Return features of each year (B, T, d)."""
        assert batch.nodes is not None
        nodes, present = F.gelu(self.enter(batch.nodes.features)), batch.nodes.present
        near = torch.exp(-torch.cdist(batch.nodes.places_mm, batch.nodes.places_mm) / _NEAR_MM)
        near = near * present[:, None] * present[:, :, None]
        near = near / near.sum(dim=-1, keepdim=True).clamp(min=1e-6)
        for spread in (self.spread1, self.spread2):
            nodes = nodes + F.gelu(spread(torch.cat([nodes, near @ nodes], dim=-1)))
        weight = torch.softmax(self.score(nodes)[..., 0].masked_fill(present == 0, -1e4), dim=1)
        space = (weight[..., None] * nodes).sum(dim=1)[:, None].expand(-1, len(self.years), -1)
        time, _ = self.along(space + self.years)
        gate = torch.sigmoid(self.gate(torch.cat([space, time], dim=-1)))
        return ImageFeatures(pooled=(gate * space + (1.0 - gate) * time).float())
