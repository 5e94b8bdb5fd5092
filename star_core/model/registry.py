"""Where models are found: those that come with the program, and the centre's own.

The centre's models lie in the user's data folder (``STAR_HOME`` overrides it), one folder a model; ``active.json``
beside them names the model in use.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from star_core.errors import BundleError, StarError, StorageError
from star_core.model.bundle import CARD_FILE, ModelCard, read_card
from star_core.storage import new_file, user_folder

DEFAULT_MODEL = "star"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """One model that can be chosen."""

    name: str
    title: str
    is_demonstration: bool
    is_active: bool
    cohort: str
    path: str


def user_models_folder() -> Path:
    """Return the folder of the centre's own models."""
    return user_folder() / "models"


def bundled_models_folder() -> Path:
    """Return the folder of the models that come with the program."""
    return Path(str(files("resources"))) / "models"


def list_models() -> tuple[ModelInfo, ...]:
    """Return every usable model, bundled ones first; damaged ones are left out."""
    active = active_model_name()
    found: dict[str, ModelInfo] = {}
    for folder in (*_folders(bundled_models_folder()), *_folders(user_models_folder())):
        try:
            card = read_card(folder)
        except StarError:
            continue
        found.setdefault(card.name, _to_info(card, folder, active))
    return tuple(found.values())


def find_model(name_or_folder: str | None) -> Path:
    """Return the bundle folder of a model by name, by path, or of the active model for ``None``.

    Raises
    ------
    StorageError
        When there is no such model; the message lists the ones there are.
    """
    name = name_or_folder or active_model_name()
    for info in list_models():
        if info.name == name:
            return Path(info.path)
    folder = Path(name)
    if (folder / CARD_FILE).is_file() or folder.is_dir():
        return folder
    known = ", ".join(info.name for info in list_models()) or "none"
    raise StorageError(f"There is no model {name!r}.", remedy=f"Models at hand: {known}. A bundle's folder works too.")


def active_model_name() -> str:
    """Return the name of the model in use; the default model unless another was activated."""
    try:
        content = json.loads((user_folder() / "active.json").read_text(encoding="utf-8"))
        name = content["model"]
    except (OSError, ValueError, KeyError, TypeError):
        return DEFAULT_MODEL
    return name if isinstance(name, str) else DEFAULT_MODEL


def activate_model(name: str) -> None:
    """Make a model the one in use.

    Raises
    ------
    BundleError
        When no model of that name is installed.
    StorageError
        When the choice cannot be written.
    """
    if name not in {info.name for info in list_models()}:
        known = ", ".join(info.name for info in list_models())
        raise BundleError(f"There is no installed model {name!r}.", remedy=f"Models at hand: {known}.")
    target = user_folder() / "active.json"
    with new_file(target) as partial:
        partial.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps({"model": name}), encoding="utf-8")


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return sorted(child for child in parent.iterdir() if (child / CARD_FILE).is_file())


def _to_info(card: ModelCard, folder: Path, active: str) -> ModelInfo:
    return ModelInfo(
        name=card.name,
        title=card.title,
        is_demonstration=card.demonstration,
        is_active=card.name == active,
        cohort=card.cohort.in_words(),
        path=str(folder),
    )
