"""Patients of a cohort as batches for the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from torch import Tensor
from torch.utils.data import Dataset

from star_core.cohort.manifest import Manifest, ManifestPatient, load_input, require_scan
from star_core.errors import StorageError, TrainingError
from star_core.imaging.augment import Augmentation, augment_input
from star_core.model.comparators.networks import AminnEncoder, ComparatorNetwork
from star_core.model.comparators.nodes import NODE_NETWORKS, Nodes, build_nodes
from star_core.model.config import ComparatorConfig, StarConfig
from star_core.model.predict import choose_device, lay_out, mixed_precision
from star_core.model.projector import YearHeads
from star_core.model.star import Network, NodeBatch, StarBatch, build_batch
from star_core.model.tracker import ImageFeatures
from star_core.storage import new_file
from star_core.training.losses import CENSORED, MONTHS_PER_YEAR, OutcomeBatch
from star_core.training.run import STOPPED_EARLY, TrainingSettings
from star_core.types import CAUSES, N_YEARS, FloatArray, ModelInput, Outcome, ProgressCallback, Structure

SITE_RADIUS_MM = 10.0
NODES_FOLDER = "nodes"
_OPTIONAL = Structure.REMNANT | Structure.HEPATIC_VEINS | Structure.PORTAL_VEINS | Structure.TUMOUR


@dataclass(frozen=True)
class TrainingBatch:
    """Inputs, outcomes and bootstrap weights (B, M) of B patients; ``features`` replace the scan when it is frozen."""

    star: StarBatch
    outcome: OutcomeBatch
    member_weights: Tensor
    patient_ids: tuple[str, ...]
    features: ImageFeatures | None = None

    def to(self, device: torch.device) -> TrainingBatch:
        """Return the batch on another device."""
        return replace(
            self,
            star=self.star.to(device),
            outcome=self.outcome.to(device),
            member_weights=self.member_weights.to(device),
            features=None if self.features is None else self.features.to(device),
        )


class CohortDataset(Dataset[TrainingBatch]):
    """Patients read from disk one by one; ``training`` switches on augmentation and the hiding of structures.

    What is random for a patient depends on seed, epoch and patient alone, so a resumed run draws the same.
    """

    def __init__(
        self,
        manifest: Manifest,
        patients: Sequence[ManifestPatient],
        config: StarConfig | ComparatorConfig,
        settings: TrainingSettings,
        *,
        training: bool,
    ) -> None:
        self._manifest, self._patients = manifest, tuple(patients)
        self._config, self._settings, self._training = config, settings, training
        generator = np.random.default_rng(settings.seed)
        self._member_weights = generator.poisson(1.0, (len(self._patients), config.n_members)).astype(np.float32)
        self._learns_sites = settings.learn_sites and config.has_map
        self._augmentation = Augmentation(
            elastic_mm=settings.elastic_mm,
            noise_sigma=settings.noise_sigma,
            blur_sigma_mm=settings.blur_sigma_mm,
        )
        self.epoch = 0

    def __len__(self) -> int:
        return len(self._patients)

    def __getitem__(self, index: int) -> TrainingBatch:
        patient = self._patients[index]
        model_input = load_input(self._manifest, patient, with_scan=self._config.sees_scan)
        site = draw_site(patient.outcome, model_input)
        nodes = self.read_nodes(index) if self._config.network in NODE_NETWORKS else None
        if self._training and nodes is None and self._config.sees_scan:
            generator = np.random.default_rng([self._settings.seed, self.epoch, index])
            model_input, site = augment_input(model_input, site, self._augmentation, generator)
            if generator.random() < self._settings.hide_structures:
                model_input = hide_optional_structures(model_input)
        return TrainingBatch(
            star=build_batch(model_input, self._config, nodes),
            outcome=build_outcome(patient.outcome, model_input, site if self._learns_sites else None),
            member_weights=torch.from_numpy(self._member_weights[index])[None],
            patient_ids=(patient.patient_id,),
        )

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Outcomes of the patients, in their order."""
        return tuple(patient.outcome for patient in self._patients)

    def read_nodes(self, index: int) -> Nodes:
        """Return a patient's lesions and regions, computed once and kept in the cohort's folder."""
        patient = self._patients[index]
        network = self._config.network
        kept = self._manifest.folder / NODES_FOLDER / f"{require_scan(patient)[:24]}-{network}.safetensors"
        try:
            return Nodes(**load_file(kept))
        except (OSError, SafetensorError, TypeError):
            nodes = build_nodes(load_input(self._manifest, patient), network)
        content = save({"features": nodes.features, "present": nodes.present, "places_mm": nodes.places_mm})
        with suppress(StorageError), new_file(kept) as partial:  # a cohort on a read-only disk is computed each time
            partial.parent.mkdir(exist_ok=True)
            partial.write_bytes(content)
        return nodes


class TrackedDataset(Dataset[TrainingBatch]):
    """Patients with the features of their scans, computed once by a tracker that does not learn any more."""

    def __init__(
        self,
        network: Network,
        patients: Dataset[TrainingBatch],
        device_name: str,
        progress: ProgressCallback,
        should_stop: Callable[[], bool],
    ) -> None:
        device = choose_device(device_name)
        lay_out(network, device)
        network.to(device)
        self._batches: list[TrainingBatch] = []
        for index in range(len(patients)):  # type: ignore[arg-type]
            if should_stop():
                raise TrainingError(STOPPED_EARLY, remedy="Let at least one epoch finish.")
            batch = patients[index]
            with torch.no_grad(), mixed_precision(device):
                features = network.track(batch.star.to(device))
            # The scan itself is not needed again; an empty one keeps memory small.
            star = replace(batch.star, scans=batch.star.scans[:, :0])
            self._batches.append(replace(batch, star=star, features=features.to(torch.device("cpu"))))
            progress(index + 1, len(patients))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> TrainingBatch:
        return self._batches[index]


def prepare_network(network: Network, patients: CohortDataset) -> None:
    """Set what a network takes from its training patients before it learns.

    These are the causes' shares of first events for year classes, and the size of radiomic features for AMINN.
    """
    heads = network.projector.heads
    if isinstance(heads, YearHeads):
        causes = [outcome.cause for outcome in patients.outcomes if outcome.cause is not None]
        counts = torch.tensor([float(causes.count(cause)) for cause in CAUSES])
        heads.cause_shares.copy_(counts / counts.sum().clamp(min=1.0))
    if isinstance(network, ComparatorNetwork) and isinstance(network.encoder, AminnEncoder):
        nodes = [patients.read_nodes(index) for index in range(len(patients))]
        network.encoder.standardise(
            torch.from_numpy(np.stack([bag.features for bag in nodes])),
            torch.from_numpy(np.stack([bag.present for bag in nodes])),
        )


def hide_optional_structures(model_input: ModelInput) -> ModelInput:
    """Return the input as it would be with nothing but the liver outlined."""
    fractions = model_input.fractions.copy()
    fractions[1:] = 0.0
    return replace(model_input, fractions=fractions, known=model_input.known & ~_OPTIONAL)


def build_outcome(outcome: Outcome, model_input: ModelInput, site: FloatArray | None) -> OutcomeBatch:
    """Return the outcome of one patient; ``site`` (D, H, W) marks where the recurrence arose, ``None`` is not used."""
    site_ml = None
    if site is not None:
        site_ml = torch.from_numpy(
            site * model_input.at_risk_fraction * np.float32(model_input.geometry.voxel_volume_ml)
        )
    return OutcomeBatch(
        event_months=torch.tensor([outcome.event_months], dtype=torch.float32),
        cause=torch.tensor([CENSORED if outcome.cause is None else CAUSES.index(outcome.cause)]),
        survival_months=torch.tensor([outcome.survival_months], dtype=torch.float32),
        died=torch.tensor([outcome.died]),
        site_ml=None if site_ml is None else site_ml[None],
    )


def draw_site(outcome: Outcome, model_input: ModelInput) -> FloatArray:
    """Return float32 (D, H, W): 1 within 10 mm of the recorded recurrence site; all 0 where none is recorded."""
    geometry = model_input.geometry
    if outcome.site_lps_mm is None:
        return np.zeros(geometry.shape, dtype=np.float32)
    index = geometry.lps_to_index(np.array(outcome.site_lps_mm))
    squared_mm2 = np.zeros(geometry.shape)
    for axis, (size, place, mm) in enumerate(zip(geometry.shape, index, geometry.spacing_mm, strict=True)):
        offset_mm = (np.arange(size) - place) * mm
        squared_mm2 += np.square(offset_mm).reshape([-1 if other == axis else 1 for other in range(3)])
    ball: FloatArray = (squared_mm2 <= SITE_RADIUS_MM**2).astype(np.float32)
    return ball


def collate(batches: Sequence[TrainingBatch]) -> TrainingBatch:
    """Join batches along patients."""
    first = batches[0]
    sites = [b.outcome.site_ml for b in batches if b.outcome.site_ml is not None]
    return TrainingBatch(
        star=_join_inputs([b.star for b in batches]),
        outcome=OutcomeBatch(
            event_months=torch.cat([b.outcome.event_months for b in batches]),
            cause=torch.cat([b.outcome.cause for b in batches]),
            survival_months=torch.cat([b.outcome.survival_months for b in batches]),
            died=torch.cat([b.outcome.died for b in batches]),
            site_ml=torch.cat(sites) if sites else None,
        ),
        member_weights=torch.cat([b.member_weights for b in batches]),
        patient_ids=tuple(name for b in batches for name in b.patient_ids),
        features=None if first.features is None else _join_features([b.features for b in batches if b.features]),
    )


def _join_inputs(batches: Sequence[StarBatch]) -> StarBatch:
    before = np.cumsum([0, *(len(b.scans) for b in batches)])
    return StarBatch(
        scans=torch.cat([b.scans for b in batches]),
        slots=torch.cat([b.slots + int(offset) for b, offset in zip(batches, before, strict=False)]),
        clinical=torch.cat([b.clinical for b in batches]),
        missing=torch.cat([b.missing for b in batches]),
        at_risk_ml=torch.cat([b.at_risk_ml for b in batches]),
        nodes=_join_nodes([b.nodes for b in batches if b.nodes is not None]),
    )


def _join_nodes(nodes: Sequence[NodeBatch]) -> NodeBatch | None:
    if not nodes:
        return None
    return NodeBatch(
        torch.cat([b.features for b in nodes]),
        torch.cat([b.present for b in nodes]),
        torch.cat([b.places_mm for b in nodes]),
    )


def _join_features(features: Sequence[ImageFeatures]) -> ImageFeatures:
    recon = [f.recon_pooled for f in features if f.recon_pooled is not None]
    logit = [f.local_logit for f in features if f.local_logit is not None]
    return ImageFeatures(
        pooled=torch.cat([f.pooled for f in features]),
        recon_pooled=torch.cat(recon) if recon else None,
        local_logit=torch.cat(logit) if logit else None,
    )


def count_at_risk(outcomes: Sequence[Outcome]) -> tuple[int, ...]:
    """Return how many patients were event-free and followed at the start of each year."""
    months = np.array([outcome.event_months for outcome in outcomes])
    return tuple(int((months > MONTHS_PER_YEAR * year).sum()) for year in range(N_YEARS))
