"""Model bundles: a folder with ``card.json`` and ``weights.safetensors``; nothing in it is ever unpickled.

The card carries the SHA-256 of the weights and of itself, so a damaged or altered bundle is refused by name.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from star_core.errors import BundleError, StorageError
from star_core.model.config import Architecture
from star_core.storage import new_folder

if TYPE_CHECKING:
    from torch import Tensor

    from star_core.imaging.preprocess import PreprocessConfig
    from star_core.model.star import Network

CARD_FILE = "card.json"
WEIGHTS_FILE = "weights.safetensors"
FORMAT_VERSION = 1


class CohortCard(BaseModel):
    """What a model was trained on; ``left_out`` counts patients whom the cohort was made without."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    name: str
    patients: int
    left_out: int = Field(default=0, ge=0, exclude_if=lambda count: count == 0)
    seed: int | None = None
    synthetic: bool
    split: dict[str, int]

    def in_words(self) -> str:
        """Return the cohort in words, such as "157 patients (tcia), 3 left out"."""
        told = f"{self.patients} {'synthetic ' if self.synthetic else ''}patients ({self.kind})"
        return f"{told}, {self.left_out} left out" if self.left_out else told


class Measure(BaseModel):
    """One measured figure with its 95 % interval, on how many patients."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: float
    lower: float
    upper: float
    n: int
    split: str


class ModelCard(BaseModel):
    """Everything a reader must know of a model before trusting a number of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int = FORMAT_VERSION
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    title: str
    demonstration: bool
    model_id: str = ""
    card_digest: str = ""
    parent_id: str | None = None
    software_version: str
    created_utc: str
    architecture: Architecture
    preprocessing: dict[str, str | float | int | bool | None]
    fields: tuple[str, ...]
    cohort: CohortCard
    at_risk: tuple[int, ...]
    training: dict[str, str | float | int | bool | None]
    measures: tuple[Measure, ...] = ()
    intended_use: str
    not_for: str

    def compute_digest(self) -> str:
        """Return the SHA-256 of the card without its own digest."""
        content = self.model_dump(mode="json", exclude={"card_digest"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class ModelBundle:
    """A card and its weights."""

    card: ModelCard
    weights: dict[str, Tensor]

    def build_network(self) -> Network:
        """Return the network with the bundle's weights, in evaluation mode.

        Raises
        ------
        BundleError
            When the weights do not fit the card's architecture.
        """
        from star_core.model.build import build_network

        network = build_network(self.card.architecture)
        try:
            network.load_state_dict(self.weights)
        except RuntimeError as error:
            raise BundleError(
                f"Model {self.card.name!r}: the weights do not fit the architecture on its card.",
                remedy="Choose another model or copy the bundle again.",
                details=str(error),
            ) from error
        network.eval()
        return network


def read_card(folder: Path) -> ModelCard:
    """Read and check a bundle's card without touching the weights.

    Raises
    ------
    StorageError
        When there is no bundle in ``folder``.
    BundleError
        When the card is damaged, altered or of another format version.
    """
    path = folder / CARD_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"No model bundle in folder {folder.name!r}: {CARD_FILE} cannot be read.",
            remedy="Choose a folder that holds card.json and weights.safetensors.",
            details=str(error),
        ) from error
    except UnicodeDecodeError as error:
        raise _damaged(folder, "its card is not text", error) from error
    try:
        card = ModelCard.model_validate_json(text)
    except ValidationError as error:
        raise _damaged(folder, "its card does not follow the schema", error) from error
    if card.format_version != FORMAT_VERSION:
        raise BundleError(
            f"Model {card.name!r}: bundle format {card.format_version}, expected {FORMAT_VERSION}.",
            remedy="Update STAR Viewer or export the model again with this version.",
        )
    if card.card_digest != card.compute_digest():
        raise _damaged(folder, "its card was altered after it was written", None)
    return card


def read_bundle(folder: Path) -> ModelBundle:
    """Read a bundle and check its weights against the card.

    Raises
    ------
    StorageError
        When files are missing.
    BundleError
        When the weights' SHA-256 differs from the card's or they cannot be parsed.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    card = read_card(folder)
    try:
        content = (folder / WEIGHTS_FILE).read_bytes()
    except OSError as error:
        raise StorageError(
            f"Model {card.name!r}: {WEIGHTS_FILE} cannot be read.",
            remedy="Copy the bundle again.",
            details=str(error),
        ) from error
    if hashlib.sha256(content).hexdigest() != card.model_id:
        raise _damaged(folder, "its weights differ from those the card was written for", None)
    try:
        weights = load(content)
    except SafetensorError as error:
        raise _damaged(folder, "its weights cannot be parsed", error) from error
    return ModelBundle(card=card, weights=weights)


def read_preprocessing(card: ModelCard) -> PreprocessConfig:
    """Return how scans must be prepared for a model; settings that its card does not name are the defaults.

    Raises
    ------
    BundleError
        When the card names a setting that this version does not know.
    """
    from star_core.imaging.preprocess import PreprocessConfig

    try:
        return PreprocessConfig.model_validate(card.preprocessing)
    except ValidationError as error:
        raise BundleError(
            f"Model {card.name!r} wants its scans prepared in a way that this version does not know.",
            remedy="Use the version that made it, or choose another model.",
            details=str(error),
        ) from error


def write_bundle(card: ModelCard, weights: dict[str, Tensor], folder: Path) -> ModelCard:
    """Write a bundle into a new folder, all or nothing, and return its card with identity and digest filled in.

    Raises
    ------
    StorageError
        When the folder exists already or cannot be written.
    """
    from safetensors.torch import save

    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()})
    card = card.model_copy(update={"model_id": hashlib.sha256(content).hexdigest()})
    card = card.model_copy(update={"card_digest": card.compute_digest()})
    with new_folder(folder) as partial:
        (partial / WEIGHTS_FILE).write_bytes(content)
        (partial / CARD_FILE).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return card


def _damaged(folder: Path, reason: str, error: Any) -> BundleError:
    return BundleError(
        f"The model in folder {folder.name!r} cannot be used: {reason}.",
        remedy="Copy the bundle again from its source, or choose another model.",
        details=str(error or ""),
    )
