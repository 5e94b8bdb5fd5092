"""Figures of the network at the paper's size beside MONAI's 3D ResNet-18 on the same scan, in the same run."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from star_core.evaluation.benchmark import BenchmarkResult, median_of_both
from star_core.evaluation.complexity import (
    PAPER_SAVING_PERCENT,
    ConvolutionCounts,
    count_dense,
    count_plain,
    count_separable,
)

if TYPE_CHECKING:
    from star_core.model.config import StarConfig
    from star_core.training.data import TrainingBatch

PEER = "MONAI ResNet-18"


def measure_network_figures() -> list[BenchmarkResult]:
    """Measure forecast, training step, its memory and the first layer's shortcut; count parameters and multiplies."""
    return [*measure_against_resnet(), measure_step_memory(), measure_first_layer(), *count_convolutions()]


def measure_against_resnet() -> list[BenchmarkResult]:
    """Measure a forecast and a training step of twelve years beside one pass of the ResNet, as each is delivered."""
    from star_core.training.run import TrainingSettings

    settings = TrainingSettings()
    batch = _draw_batch(_paper_size())
    forecast_s = median_of_both(_forecast_of(_paper_size(), batch), _resnet_forward(batch))
    step_s = median_of_both(_step_of(_paper_size(), batch, settings.learning_rate), _resnet_step(batch))
    names = (
        ("forecast of twelve years", forecast_s, "ratio at most 0.25"),
        ("training step", step_s, "ratio at most 0.35"),
    )
    return [
        BenchmarkResult(figure=figure, ours=ours, peer=peer, peer_name=PEER, unit="s", goal=goal)
        for figure, (ours, peer), goal in names
    ]


def _paper_size() -> StarConfig:
    from star_core.clinical.fields import MODEL_FIELDS
    from star_core.model.config import StarConfig

    return StarConfig(n_clinical=len(MODEL_FIELDS))


def _draw_batch(config: StarConfig) -> TrainingBatch:
    """Return one patient of random voxels with a recurrence after 18 months."""
    import torch

    from star_core.model.inputs import N_CHANNELS
    from star_core.model.star import StarBatch
    from star_core.training.data import TrainingBatch
    from star_core.training.losses import OutcomeBatch

    torch.manual_seed(0)
    star = StarBatch(
        scans=torch.randn(1, N_CHANNELS[config.input_channels], *config.grid_shape),
        slots=torch.zeros(1, config.n_years, dtype=torch.long),
        clinical=torch.randn(1, config.n_clinical),
        missing=torch.zeros(1, config.n_clinical),
        at_risk_ml=torch.rand(1, *config.grid_shape) * 0.05,
    )
    outcome = OutcomeBatch(
        event_months=torch.tensor([18.0]),
        cause=torch.tensor([0]),
        survival_months=torch.tensor([40.0]),
        died=torch.tensor([True]),
    )
    return TrainingBatch(
        star=star, outcome=outcome, member_weights=torch.ones(1, config.n_members), patient_ids=("random",)
    )


def _forecast_of(config: StarConfig, batch: TrainingBatch) -> Callable[[], object]:
    import torch

    from star_core.model.build import build_network
    from star_core.model.predict import lay_out, mixed_precision

    network = build_network(config).eval()
    lay_out(network, torch.device("cpu"))

    def forecast() -> object:
        with torch.inference_mode():
            with mixed_precision(torch.device("cpu")):
                features = network.track(batch.star)
            return network.project(features, batch.star)

    return forecast


def _step_of(config: StarConfig, batch: TrainingBatch, learning_rate: float) -> Callable[[], object]:
    import torch

    from star_core.model.build import build_network
    from star_core.model.predict import lay_out
    from star_core.training.module import StarTask
    from star_core.training.run import TrainingSettings

    network = build_network(config)
    lay_out(network, torch.device("cpu"))
    task = StarTask(network, TrainingSettings(), 10)
    optimizer = torch.optim.AdamW(task.parameters(), lr=learning_rate)

    def step() -> None:
        optimizer.zero_grad()
        task.compute_loss(batch).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def _resnet_forward(batch: TrainingBatch) -> Callable[[], object]:
    import torch

    network = _build_resnet(batch).eval()

    def forward() -> object:
        with torch.inference_mode():
            return network(batch.star.scans)

    return forward


def _resnet_step(batch: TrainingBatch) -> Callable[[], object]:
    import torch

    network = _build_resnet(batch)
    optimizer = torch.optim.AdamW(network.parameters())

    def step() -> None:
        optimizer.zero_grad()
        network(batch.star.scans).square().mean().backward()
        optimizer.step()

    return step


def _build_resnet(batch: TrainingBatch):  # type: ignore[no-untyped-def]
    import torch
    from monai.networks.nets.resnet import resnet18

    torch.manual_seed(0)
    return resnet18(spatial_dims=3, n_input_channels=batch.star.scans.shape[1], num_classes=64)


def measure_step_memory() -> BenchmarkResult:
    """Measure the peak memory of a whole process that takes one training step."""
    done = subprocess.run([sys.executable, "-c", _ONE_STEP], check=True, capture_output=True, text=True)
    return BenchmarkResult(
        figure="training step, peak memory",
        ours=float(done.stdout),
        peer=None,
        peer_name="",
        unit="GB",
        goal="below 2 GB",
    )


def take_one_step() -> float:
    """Take one training step and return this process's peak memory in GB."""
    from star_core.training.run import TrainingSettings

    config = _paper_size()
    _step_of(config, _draw_batch(config), TrainingSettings().learning_rate)()
    return peak_memory_gb()


def peak_memory_gb() -> float:
    """Return the peak memory of this process in GB."""
    status = Path("/proc/self/status")
    if status.is_file():  # Linux hands the parent's peak on to getrusage of its children
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024 / 1e9
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / (1e9 if sys.platform == "darwin" else 1e6)  # macOS counts bytes


_ONE_STEP = "from star_core.evaluation.network_benchmark import take_one_step; print(take_one_step())"


def measure_first_layer() -> BenchmarkResult:
    """Measure the tracker's first layer by its exact shortcut beside the plain convolution of every year."""
    import torch
    from torch.nn import functional as F

    from star_core.model.tracker import Tracker

    torch.manual_seed(0)
    config = _paper_size()
    encoder = Tracker(config).eval().encoder
    stem, years, slots = encoder.stem, encoder.years, torch.zeros(1, config.n_years, dtype=torch.long)
    scan = torch.randn(1, stem.image.in_channels, *config.grid_shape)
    weight = torch.cat([stem.image.weight, stem.year], dim=1)

    def plain() -> None:
        for year in years:
            constant = year[None, :, None, None, None].expand(1, -1, *config.grid_shape)
            F.conv3d(torch.cat([scan, constant], dim=1), weight, stem.image.bias, stride=2, padding=1)

    with torch.inference_mode():
        ours_s, peer_s = median_of_both(lambda: stem(scan, slots, years), plain)
    return BenchmarkResult(
        figure="first layer of twelve years",
        ours=ours_s,
        peer=peer_s,
        peer_name="plain convolutions",
        unit="s",
        goal="same numbers, less work",
    )


def count_convolutions() -> list[BenchmarkResult]:
    """Count the encoder's convolutions beside dense 4D and plain 3D ones."""
    config = _paper_size()
    ours = count_separable(config)
    rows = []
    for name, peer in (("dense 4D", count_dense(config)), ("plain 3D", count_plain(config))):
        rows += _compare(ours, peer, name)
    return rows


def _compare(ours: ConvolutionCounts, peer: ConvolutionCounts, name: str) -> list[BenchmarkResult]:
    goal = f"the paper saves {PAPER_SAVING_PERCENT:.0f} % of parameters, against what it does not say"
    return [
        BenchmarkResult(
            figure=f"convolutions, parameters against {name}",
            ours=ours.parameters / 1e3,
            peer=peer.parameters / 1e3,
            peer_name=name,
            unit="thousand",
            goal=goal,
        ),
        BenchmarkResult(
            figure=f"convolutions, multiplications against {name}",
            ours=ours.multiplications / 1e9,
            peer=peer.multiplications / 1e9,
            peer_name=name,
            unit="billion",
            goal="",
        ),
    ]
