"""Settings that outlive the program: looks and window, never anything about a patient."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from star_viewer.display import ColourMap, Interpolation, Layout


class Theme(StrEnum):
    """Colours of the window; reading rooms are dark."""

    DARK = "dark"
    LIGHT = "light"
    SYSTEM = "system"


class ReceiverSettings(BaseModel):
    """How studies are received; off at the start unless the user asked for it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at_start: bool = False
    title: str = "STAR"
    port: int = Field(default=11112, ge=1, le=65535)
    bind: str = "127.0.0.1"
    allowed: tuple[str, ...] = ()
    objects: int = Field(default=50_000, ge=1)
    total_gb: float = Field(default=200.0, gt=0.0)
    object_gb: float = Field(default=4.0, gt=0.0)


class WindowPresetSettings(BaseModel):
    """A grey window on a number key."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    centre_hu: float = Field(ge=-5000.0, le=10000.0)
    width_hu: float = Field(ge=1.0, le=10000.0)


class Settings(BaseModel):
    """What is remembered from one start to the next."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    theme: Theme = Theme.DARK
    overlay_opacity: float = Field(default=0.55, ge=0.0, le=1.0)
    window_geometry: str = ""
    recent_folders: tuple[str, ...] = ()
    import_by_link: bool = False
    server: str = ""
    receiver: ReceiverSettings = ReceiverSettings()
    layout: Layout = Layout.FOUR
    corner_text: bool = True
    interpolation: Interpolation = Interpolation.LINEAR
    colour_map: ColourMap = ColourMap.INFERNO
    window_presets: tuple[WindowPresetSettings, ...] = ()


class SettingsStore:
    """The settings file; a damaged one gives the defaults and says so once."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or default_path()
        self.problem = ""
        self.settings = self._read()

    def change(self, **values: object) -> None:
        """Change some settings and write them; a disk that refuses is no reason to disturb the reader."""
        self.settings = self.settings.model_copy(update=values)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial = self._path.with_suffix(".partial")
            partial.write_text(self.settings.model_dump_json(indent=1), encoding="utf-8")
            partial.replace(self._path)
        except OSError as error:
            self.problem = f"Settings cannot be saved: {error.strerror or error}."

    def _read(self) -> Settings:
        try:
            return Settings.model_validate(json.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return Settings()
        except (OSError, ValueError, ValidationError):
            self.problem = "The settings file was damaged; the program starts with its defaults."
            return Settings()


def default_path() -> Path:
    """Return where the settings of this user lie; ``STAR_HOME`` overrides it."""
    import os

    home = os.environ.get("STAR_HOME")
    if home:
        return Path(home) / "settings.json"
    from platformdirs import user_config_path

    return user_config_path("star-viewer", appauthor=False) / "settings.json"
