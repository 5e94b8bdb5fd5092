"""Dynamic Liver Regeneration Tracker: separable space-time convolutions, 4D attention, reconstruction.

Shapes: B patients, N scans, T years, C channels, (D, H, W) the model grid. The paper writes X_t = [X_ct; E_t]; a
convolution is linear, so its first layer is conv(X_ct), computed once for a scan and all years that share it, plus
conv(E_t) on a constant (method, section 3). Without part A there are no years: one 3D network sees each scan.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from star_core.model.config import Attention, Part, StarConfig
from star_core.model.inputs import N_CHANNELS

RECON_POOL = 4


@dataclass(frozen=True)
class ImageFeatures:
    """What a network says of the scans; independent of the clinical record, so it can be kept while the form changes.

    ``pooled`` (B, T, C) are features of each year, ``recon`` (B, T, D, H, W) the reconstruction, ``recon_pooled`` its
    block means, ``local_logit`` (B, T, D/2, H/2, W/2) where recurrence is likely, up to a constant of each year.
    ``extra_loss`` is what the network adds to the loss while it learns. ``None`` where a network has no such thing.
    """

    pooled: Tensor
    recon: Tensor | None = None
    recon_pooled: Tensor | None = None
    local_logit: Tensor | None = None
    extra_loss: Tensor | None = None

    def to(self, device: torch.device) -> ImageFeatures:
        """Return the features on another device, without the full reconstruction."""
        return ImageFeatures(
            pooled=self.pooled.to(device),
            recon_pooled=None if self.recon_pooled is None else self.recon_pooled.to(device),
            local_logit=None if self.local_logit is None else self.local_logit.to(device),
        )


class YearStem(nn.Module):
    """First strided convolution on [X; E_t] by its exact shortcut."""

    def __init__(self, in_channels: int, year_channels: int, out_channels: int) -> None:
        super().__init__()
        self.image = nn.Conv3d(in_channels, out_channels, 3, stride=2, padding=1)
        self.year = nn.Parameter(torch.randn(out_channels, year_channels, 3, 3, 3) * (27 * year_channels) ** -0.5)

    def forward(self, scans: Tensor, slots: Tensor, years: Tensor) -> Tensor:
        """Return (B, C, T, d, h, w) from ``scans`` (N, C_in, D, H, W), ``slots`` (B, T) into them, ``years`` (T, E)."""
        constant = torch.einsum("oezyx,te->otzyx", self.year, years)
        for size in scans.shape[2:]:
            constant = torch.tensordot(constant, _valid_taps(size, scans.device).to(constant.dtype), dims=([2], [0]))
        shared: Tensor = self.image(scans)
        if len(scans) == len(slots):  # one scan a patient: every year shares it without a copy
            return shared[:, :, None] + constant[None].to(shared.dtype)
        return shared[slots].transpose(1, 2) + constant[None].to(shared.dtype)


def _valid_taps(size: int, device: torch.device) -> Tensor:
    """Return (3, out): 1 where a tap of a stride-2, padding-1 kernel of width 3 lies inside an axis of ``size``."""
    out = (size - 1) // 2 + 1
    position = 2 * torch.arange(out, device=device)[None] + torch.arange(-1, 2, device=device)[:, None]
    return ((position >= 0) & (position < size)).float()


class YearConv(nn.Module):
    """Width-3 convolution along years at each voxel of (B, C, T, D, H, W), with a residual connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0))

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape, laid out year by year, as the convolutions in space read it."""
        flat = x.flatten(3)
        changed: Tensor = F.gelu(self.conv(flat)).view_as(x)
        return (x + changed).transpose(1, 2).contiguous().transpose(1, 2)


class SpaceConv(nn.Module):
    """Strided 3x3x3 convolution within each year, then group normalisation."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, out_channels, 3, stride=2, padding=1)
        self.norm = nn.GroupNorm(4, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C_out, T, d, h, w) from (B, C_in, T, D, H, W)."""
        return _from_years(F.gelu(self.norm(self.conv(_to_years(x)))), x.shape[0])


def _to_years(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(0, 1)


def _from_years(x: Tensor, batch: int) -> Tensor:
    return x.reshape(batch, -1, *x.shape[1:]).transpose(1, 2)


class SpaceTimeAttention(nn.Module):
    """Multi-head attention over all (year, z, y, x) cells, or along years only (paper, Eq. 1)."""

    def __init__(self, channels: int, year_channels: int, cells: tuple[int, int, int], config: StarConfig) -> None:
        super().__init__()
        self.kind, self.heads = config.attention, config.attention_heads
        self.norm = nn.LayerNorm(channels)
        self.place = nn.Parameter(torch.randn(channels, *cells) * 0.02)
        self.qkv = nn.Linear(channels + year_channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, years: Tensor) -> Tensor:
        """Return ``x`` (B, C, T, d, h, w) with what each cell found elsewhere added to it."""
        batch, channels, n_years, *cells = x.shape
        tokens = (x + self.place[None, :, None]).permute(0, 2, 3, 4, 5, 1).flatten(2, 4)
        encoding = years[None, :, None].expand(batch, -1, tokens.shape[2], -1)
        qkv = self.qkv(torch.cat([self.norm(tokens), encoding.to(tokens.dtype)], dim=-1))
        found: Tensor = self.out(self._attend(qkv))
        return x + found.reshape(batch, n_years, *cells, channels).permute(0, 5, 1, 2, 3, 4)

    def _attend(self, qkv: Tensor) -> Tensor:
        """Return (B, T, N, C) from queries, keys and values (B, T, N, 3C)."""
        batch, n_years, n_cells, width = qkv.shape
        together = qkv.flatten(1, 2) if self.kind is Attention.SPACE_TIME else qkv.transpose(1, 2).flatten(0, 1)
        query, key, value = together.reshape(*together.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        if self.kind is Attention.SPACE_TIME:
            return found.reshape(batch, n_years, n_cells, width // 3)
        return found.reshape(batch, n_cells, n_years, width // 3).transpose(1, 2)


class UpConv(nn.Module):
    """Transposed convolution to the finer level, joined with that level's own features."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose3d(in_channels, out_channels, 2, stride=2)
        self.skip = nn.Conv3d(out_channels, out_channels, 1)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Return (N, C_out, D, H, W) from (N, C_in, d, h, w) and (N, C_out, D, H, W)."""
        depth, height, width = fine.shape[2:]
        joined: Tensor = self.up(coarse)[:, :, :depth, :height, :width] + self.skip(fine)
        return F.gelu(joined)


class Encoder(nn.Module):
    """Four strided levels within each year, with the temporal part A between them where it is switched on."""

    def __init__(self, config: StarConfig) -> None:
        super().__init__()
        c1, c2, c3, c4 = config.channels
        in_channels = N_CHANNELS[config.input_channels]
        self.n_years, self.has_years = config.n_years, Part.A in config.parts
        self.down2, self.down3, self.down4 = SpaceConv(c1, c2), SpaceConv(c2, c3), SpaceConv(c3, c4)
        if self.has_years:
            self.years = nn.Parameter(torch.randn(config.n_years, config.year_embedding) * 0.5)
            self.stem = YearStem(in_channels, config.year_embedding, c1)
            self.time1, self.time2, self.time3 = YearConv(c1), YearConv(c2), YearConv(c3)
            cells = coarse_cells(config.grid_shape)
            self.attention = SpaceTimeAttention(c4, config.year_embedding, cells, config)
        else:
            self.scan = nn.Conv3d(in_channels, c1, 3, stride=2, padding=1)

    def forward(self, scans: Tensor, slots: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the four levels, each (B, C, T, d, h, w); without part A, T is 1 where all years share a scan."""
        if self.has_years:
            level1 = self.time1(F.gelu(self.stem(scans, slots, self.years)))
            level2 = self.time2(self.down2(level1))
            level3 = self.time3(self.down3(level2))
            return level1, level2, level3, self.attention(self.down4(level3), self.years)
        first = F.gelu(self.scan(scans))
        level1 = first[:, :, None] if len(scans) == len(slots) else first[slots].transpose(1, 2)
        level2 = self.down2(level1)
        level3 = self.down3(level2)
        return level1, level2, level3, self.down4(level3)


class Decoder(nn.Module):
    """Transposed convolutions back to the model grid: the reconstruction, and the logit of recurrence at each place."""

    def __init__(self, config: StarConfig) -> None:
        super().__init__()
        c1, c2, c3, c4 = config.channels
        self.up3, self.up2, self.up1 = UpConv(c4, c3), UpConv(c3, c2), UpConv(c2, c1)
        self.to_recon = nn.ConvTranspose3d(c1, 1, 2, stride=2)
        self.to_logit = nn.Conv3d(c1, 1, 3, padding=1) if config.has_map else None

    def forward(self, levels: tuple[Tensor, ...]) -> Tensor:
        """Return the features at half the grid's resolution (B, C, T, D/2, H/2, W/2)."""
        level1, level2, level3, level4 = (_to_years(level) for level in levels)
        fine = self.up1(self.up2(self.up3(level4, level3), level2), level1)
        return _from_years(fine, levels[0].shape[0])

    def reconstruct(self, fine: Tensor, grid_shape: torch.Size) -> Tensor:
        """Return the reconstruction (B, T, D, H, W) from the fine features."""
        depth, height, width = grid_shape
        recon: Tensor = self.to_recon(_to_years(fine))[..., :depth, :height, :width]
        return _from_years(recon, fine.shape[0])[:, 0]

    def read_out(self, fine: Tensor) -> tuple[Tensor | None, Tensor]:
        """Return the local logit (B, T, D/2, H/2, W/2), where there is a map, and the reconstruction's block means.

        The kernels of the reconstruction do not overlap, so the mean of a block is linear in the features beneath:
        a pointwise convolution, computed in one pass with the logit's and without the reconstruction itself.
        """
        means = self.to_recon.weight.mean(dim=(2, 3, 4))[:, 0][None, :, None, None, None]
        weight = means if self.to_logit is None else torch.cat([self.to_logit.weight, F.pad(means, (1,) * 6)])
        both = F.conv3d(_to_years(fine), weight, padding=weight.shape[-1] // 2)
        blocks = F.avg_pool3d(both[:, -1:].float(), RECON_POOL // 2)
        if self.to_recon.bias is not None:
            blocks = blocks + self.to_recon.bias
        blocks = _from_years(blocks, fine.shape[0])[:, 0]
        if self.to_logit is None or self.to_logit.bias is None:
            return None, blocks
        return _from_years(both[:, :1], fine.shape[0])[:, 0].float() + self.to_logit.bias, blocks


class Tracker(nn.Module):
    """From scans to the features of twelve years."""

    def __init__(self, config: StarConfig) -> None:
        super().__init__()
        self.n_years = config.n_years
        self.encoder, self.decoder = Encoder(config), Decoder(config)

    def forward(self, scans: Tensor, slots: Tensor, *, keep_recon: bool = False) -> ImageFeatures:
        """Return the features of ``scans`` (N, C, D, H, W), of which year t of patient b sees ``slots[b, t]``.

        The full reconstruction is kept only on request.
        """
        levels = self.encoder(scans, slots)
        fine = self.decoder(levels)
        logit, blocks = self.decoder.read_out(fine)
        return ImageFeatures(
            pooled=self._each_year(levels[3].mean(dim=(3, 4, 5)).transpose(1, 2)),
            recon=self._each_year(self.decoder.reconstruct(fine, scans.shape[2:])) if keep_recon else None,
            recon_pooled=self._each_year(blocks),
            local_logit=None if logit is None else self._each_year(logit),
        )

    def _each_year(self, x: Tensor) -> Tensor:
        """Return (B, T, ...) from (B, 1 or T, ...) in single precision."""
        return x.float().expand(-1, self.n_years, *x.shape[2:])


def coarse_cells(grid_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the shape of the coarsest level: four strided convolutions below the grid."""
    depth, height, width = (-(-size // 16) for size in grid_shape)
    return depth, height, width
