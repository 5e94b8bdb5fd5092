"""The report says what the assessment says, and says on every page what it is not for."""

from __future__ import annotations

from pathlib import Path

import pypdf
import pytest

from star_core import RESEARCH_NOTICE
from star_core.errors import StorageError
from star_core.report.content import build_report
from star_core.report.pdf import write_report
from star_core.types import Assessment, Case, Cause


def test_numbers_are_the_assessments(demo_assessed: tuple[Case, Assessment]) -> None:
    case, assessment = demo_assessed
    content = build_report(assessment, case)
    assert len(content.years) == 12
    liver = 100 * assessment.forecast.cumulative_incidence[Cause.LIVER][4]
    assert content.years[4].liver.startswith(f"{liver:.0f}")
    assert "synthetic" in content.model_line + " ".join(text for _, text in content.findings)
    assert any("unvalidated" in text or "not been validated" in text for text in content.limitations)
    assert dict(content.provenance)["Model id (SHA-256)"] == assessment.provenance.model_id


def test_the_notice_stands_on_every_page(demo_assessed: tuple[Case, Assessment], tmp_path: Path) -> None:
    case, assessment = demo_assessed
    write_report(case, assessment, tmp_path / "report.pdf")
    pages = pypdf.PdfReader(tmp_path / "report.pdf").pages
    assert len(pages) >= 2
    words = " ".join(RESEARCH_NOTICE.split()[:4])
    for page in pages:
        assert words.lower() in " ".join(page.extract_text().split()).lower()


def test_an_older_report_stays_when_the_new_one_cannot_be_written(
    demo_assessed: tuple[Case, Assessment], tmp_path: Path
) -> None:
    with pytest.raises(StorageError):
        write_report(*demo_assessed, tmp_path / "no-such-folder" / "report.pdf")
    assert list(tmp_path.iterdir()) == []
