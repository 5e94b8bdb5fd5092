"""Prepared scans kept by content: the same files prepared the same way are not prepared again.

The key is the SHA-256 of the CT's and the segmentation's bytes, the preprocessing's settings and its version. The
folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from star_core.cohort.journal import Facts
from star_core.cohort.manifest import input_path
from star_core.errors import StorageError
from star_core.imaging.preprocess import PreprocessConfig
from star_core.storage import new_file

# To be raised whenever the same settings give other tensors.
PREPARATION_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedScan:
    """A prepared scan: its SHA-256, and what is told of it."""

    input_sha256: str
    notes: tuple[str, ...]
    facts: Facts


def hash_sources(paths: Iterable[Path], config: PreprocessConfig) -> str:
    """Return the key of a scan: file names and order do not matter, a single bit does."""
    digests = []
    for path in paths:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    settings = json.dumps(config.model_dump(mode="json"), sort_keys=True)
    text = "\n".join([str(PREPARATION_VERSION), settings, *sorted(digests)])
    return hashlib.sha256(text.encode()).hexdigest()


def fetch_cached(cache: Path | None, key: str, folder: Path) -> CachedScan | None:
    """Give a cohort's folder the prepared scan of a key, or return ``None`` where it is not kept or was altered."""
    if cache is None:
        return None
    try:
        content = json.loads((cache / f"{key}.json").read_text(encoding="utf-8"))
        cached = CachedScan(
            input_sha256=content["input_sha256"], notes=tuple(content["notes"]), facts=dict(content["facts"])
        )
        kept = input_path(cache, cached.input_sha256)
        if hashlib.sha256(kept.read_bytes()).hexdigest() != cached.input_sha256:
            return None
        _link(kept, input_path(folder, cached.input_sha256))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return cached


def keep_cached(cache: Path | None, key: str, folder: Path, scan: CachedScan) -> None:
    """Keep a cohort's prepared scan under a key; where that is not possible, nothing is kept."""
    if cache is None:
        return
    with suppress(OSError, StorageError):
        _link(input_path(folder, scan.input_sha256), input_path(cache, scan.input_sha256))
        with new_file(cache / f"{key}.json") as partial:
            partial.write_text(json.dumps(asdict(scan)) + "\n", encoding="utf-8")


def link_input(source: Path, target: Path, sha256: str) -> None:
    """Give the cohort in ``target`` the prepared scan of the cohort in ``source``, without a copy where possible."""
    _link(input_path(source, sha256), input_path(target, sha256))


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with new_file(target) as partial:
        try:
            os.link(source, partial)
        except OSError:  # another disk, or a file system without links
            shutil.copyfile(source, partial)
