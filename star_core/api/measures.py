"""Measuring models: one alone, several on the same folds, their maps, and the promised figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from star_core.api.cases import write_demo
from star_core.model.registry import find_model
from star_core.types import ProgressCallback, ignore_progress

if TYPE_CHECKING:
    from star_core.evaluation.benchmark import BenchmarkResult
    from star_core.evaluation.compare import ComparisonPlan
    from star_core.evaluation.maps import MapRow, Patients
    from star_core.evaluation.summary import SummaryRow


def evaluate_model(
    model: str | None,
    cohort: Path,
    out: Path,
    *,
    patients: Patients = "test",
    seed: int | None = None,
    device: str = "auto",
    progress: ProgressCallback = ignore_progress,
) -> tuple[SummaryRow, ...]:
    """Measure a model on a cohort; see :func:`star_core.evaluation.evaluate.evaluate`."""
    from star_core.evaluation.evaluate import evaluate

    return evaluate(find_model(model), cohort, out, patients=patients, seed=seed, device=device, progress=progress)


def compare_models(
    cohort: Path,
    plan: ComparisonPlan,
    out: Path,
    *,
    device: str = "auto",
    progress: ProgressCallback = ignore_progress,
) -> tuple[SummaryRow, ...]:
    """Fit and measure models on identical folds; see :func:`star_core.evaluation.compare.compare`."""
    from star_core.evaluation.compare import compare

    return compare(cohort, plan, out, device=device, progress=progress)


def check_maps(
    cohort: Path,
    models: Sequence[str],
    out: Path,
    *,
    patients: Patients = "test",
    seed: int = 0,
    device: str = "auto",
    progress: ProgressCallback = ignore_progress,
) -> tuple[MapRow, ...]:
    """Check models' maps at recorded sites of recurrence; see :func:`star_core.evaluation.maps.check_maps`."""
    from star_core.evaluation.maps import check_maps as check

    folders = [find_model(model) for model in models]
    return check(cohort, folders, out, patients=patients, seed=seed, device=device, progress=progress)


def run_benchmarks(ct: Path | None = None, segmentation: Path | None = None) -> list[BenchmarkResult]:
    """Measure the promised figures, each beside its peer; on the demonstration patient when no CT is given."""
    import tempfile

    from star_core.evaluation.benchmark import measure_all

    with tempfile.TemporaryDirectory() as folder:
        if ct is None:
            write_demo(Path(folder) / "demo")
            ct, segmentation = Path(folder) / "demo" / "ct", Path(folder) / "demo" / "segmentation.dcm"
        return measure_all(ct, segmentation, Path(folder))
