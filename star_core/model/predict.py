"""From a network's rates to a forecast and a map that adds up to it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch

from star_core.errors import DeviceError
from star_core.memory import keep_freed_memory
from star_core.model.incidence import (
    compute_cumulative_incidence,
    compute_event_free_survival,
    compute_risk_density,
    compute_survival,
)
from star_core.model.projector import Rates
from star_core.model.star import Network, build_batch
from star_core.model.tracker import ImageFeatures
from star_core.types import CAUSES, Cause, DoubleArray, Forecast, Interval, ModelInput, RiskMap

INTERVAL_PERCENT = 90.0


@dataclass(frozen=True)
class Prediction:
    """A forecast, its map and the image features to repeat it with another record."""

    forecast: Forecast
    risk_map: RiskMap
    features: ImageFeatures


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called ``name``; ``auto`` takes a GPU when there is one.

    Raises
    ------
    DeviceError
        When a GPU is asked for and torch sees none, or the name means nothing.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"There is no device {name!r}.", remedy="Choose auto, cpu or cuda.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            "No graphics card that torch can use was found.",
            remedy="Choose device = cpu, or install the build of torch for this card and its driver.",
        )
    return device


def mixed_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return the precision that is fast on a device: bfloat16 where the processor has it, else float32."""
    if device.type == "cuda" or (torch.backends.cpu.get_cpu_capability() == "AVX512" and _has_bfloat16()):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def lay_out(network: torch.nn.Module, device: torch.device) -> None:
    """Lay weights and memory out as a device wants them: volume convolutions channels last on graphics cards.

    On processors channels first is faster (docs/results/the-whole-method.md), and freed memory is kept.
    """
    if device.type != "cuda":
        keep_freed_memory()
        return
    for module in network.modules():
        if isinstance(module, torch.nn.Conv3d | torch.nn.ConvTranspose3d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last_3d)


def _has_bfloat16() -> bool:
    return bool(torch.cpu._is_avx512_bf16_supported())


def predict(
    network: Network,
    model_input: ModelInput,
    at_risk: tuple[int, ...],
    *,
    features: ImageFeatures | None = None,
    device: torch.device | None = None,
) -> Prediction:
    """Run the network on one patient.

    Parameters
    ----------
    network
        In evaluation mode.
    model_input
        The prepared scan and record.
    at_risk
        Training patients at risk at the start of each year, from the model's card.
    features
        Features of the same scan from an earlier prediction: then only integrator and projector run.
    device
        Where to run; the processor by default.
    """
    device = device or torch.device("cpu")
    lay_out(network, device)
    network.to(device)
    batch = build_batch(model_input, network.config).to(device)
    with torch.inference_mode():
        if features is None:
            with mixed_precision(device):
                features = network.track(batch)
        rates, _ = network.project(features, batch)
    per_tissue_ml = rates.liver_per_tissue_ml[0].cpu().numpy()
    rate_per_ml = per_tissue_ml * model_input.at_risk_fraction
    forecast = _build_forecast(rates, rate_per_ml.sum(axis=(1, 2, 3), dtype=np.float64), model_input, at_risk)
    causes = np.stack([forecast.rates[cause] for cause in CAUSES], axis=-1)
    risk_map = RiskMap(density_per_ml=compute_risk_density(rate_per_ml, causes), geometry=model_input.geometry)
    return Prediction(forecast, risk_map, features)


def _build_forecast(
    rates: Rates, rate_sum_per_ml: DoubleArray, model_input: ModelInput, at_risk: tuple[int, ...]
) -> Forecast:
    causes = rates.causes[0].double().cpu().numpy().copy()
    if model_input.at_risk_fraction.any():
        # The liver's rate is the map's own sum, in double precision, so that map and incidence agree to rounding.
        causes[:, 0] = rate_sum_per_ml * model_input.geometry.voxel_volume_ml
    death = rates.death[0].double().cpu().numpy()
    curves = _curves(causes, death)
    return Forecast(
        rates={cause: causes[:, i] for i, cause in enumerate(CAUSES)},
        cumulative_incidence={cause: curves[cause.value] for cause in CAUSES},
        event_free_survival=curves["event_free_survival"],
        overall_survival=curves["overall_survival"],
        intervals=_build_intervals(rates, causes, death),
        at_risk=np.asarray(at_risk, dtype=np.int64),
    )


def _build_intervals(rates: Rates, causes: DoubleArray, death: DoubleArray) -> Mapping[str, Interval]:
    """Return percentile intervals of the bootstrap members, whose log rates are centred on the estimate's own.

    Members learn later and less than the heads, so their mean may lag behind; their spread is what is wanted.
    """
    member_causes = causes * _spread(rates.member_causes[0].double().cpu().numpy())
    member_death = death * _spread(rates.member_death[0].double().cpu().numpy())
    estimate = _curves(causes, death)
    members = _curves(member_causes, member_death)
    tail = (100.0 - INTERVAL_PERCENT) / 2.0
    return {
        name: Interval(
            lower=np.minimum(np.percentile(members[name], tail, axis=0), value),
            upper=np.maximum(np.percentile(members[name], 100.0 - tail, axis=0), value),
        )
        for name, value in estimate.items()
    }


def _spread(member_rates: DoubleArray) -> DoubleArray:
    """Return each member's factor (M, ...) about the members' geometric mean."""
    log_rates = np.log(member_rates)
    factors: DoubleArray = np.exp(log_rates - log_rates.mean(axis=0))
    return factors


def _curves(causes: DoubleArray, death: DoubleArray) -> dict[str, DoubleArray]:
    """Return all curves (..., T) of rates by cause (..., T, 3) and of death (..., T), by the forecast's names."""
    incidence = compute_cumulative_incidence(causes)
    event_free = compute_event_free_survival(causes)
    return {
        "any": incidence[..., 0] + incidence[..., 1],
        Cause.LIVER.value: incidence[..., 0],
        Cause.ELSEWHERE.value: incidence[..., 1],
        Cause.DEATH.value: incidence[..., 2],
        "event_free_survival": event_free,
        # Nobody is event-free and dead.
        "overall_survival": np.maximum(compute_survival(death), event_free),
    }
