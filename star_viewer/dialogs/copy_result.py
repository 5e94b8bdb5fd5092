"""What came of a de-identified copy (values of ``DeidentificationReport``), put into words."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import Any


def to_title(report: Any) -> str:
    """Return in one line what was copied."""
    counts = (
        counted(report.files, "file", "files"),
        counted(report.series, "series", "series"),
        counted(report.studies, "study", "studies"),
        counted(report.patients, "patient", "patients"),
    )
    return f"Copied: {', '.join(counts)}."


def to_verdict(report: Any) -> str:
    """Return whether reading every copy back found something."""
    if not report.files and not report.leaks:
        return "Nothing could be copied: see below what was left out and why."
    if report.is_clean:
        return (
            "Verification passed: every copy was read back, element by element, and nothing of the patient was found."
        )
    removed = counted(report.leaks, "copy", "copies")
    return (
        f"Verification did not pass: {removed} still held something of the patient and went again. "
        "The rest was read back, and nothing was found in it."
    )


def to_cautions(report: Any) -> str:
    """Return in words, not by colour alone, what a person has to look at; empty where there is nothing."""
    lines = []
    if series := len({one.series for one in report.warnings}):
        lines.append(
            f"Warning: look at {counted(series, 'series', 'series')} first; the pixels may show text or a face."
        )
    if report.left_out:
        lines.append(f"Left out: {counted(len(report.left_out), 'file', 'files')}; the reasons stand below.")
    return "\n".join(lines)


def to_sections(report: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return what else to know, as headings with their lines; every line is free of patients' names."""
    warned = tuple(f"{one.series} ({counted(one.files, 'file', 'files')}): {one.message}" for one in report.warnings)
    reasons = Counter(one.reason for one in report.left_out)
    left_out = [f"{counted(count, 'file', 'files')}: {reason}" for reason, count in reasons.most_common()]
    if report.not_dicom:
        left_out.append(f"{counted(report.not_dicom, 'file', 'files')}: not DICOM")
    return (
        (
            "Look at these series, folders of the copy, before you give them away",
            warned or ("No series is known to show text or a face.",),
        ),
        ("Left out", tuple(left_out) or ("Nothing.",)),
        ("Good to know", (report.pixels, *report.notes)),
        ("Profile and options", tuple(f"{code.value} {code.meaning}" for code in report.codes)),
    )


def to_text(report: Any) -> str:
    """Return everything as plain text, to be copied."""
    lines = list(filter(None, (to_title(report), to_verdict(report), to_cautions(report))))
    for heading, items in to_sections(report):
        lines += ["", heading, *(f"- {item}" for item in items)]
    return "\n".join(lines)


def to_html(report: Any) -> str:
    """Return the sections for a text view."""
    parts = []
    for heading, items in to_sections(report):
        rows = "".join(f"<li>{escape(item)}</li>" for item in items)
        parts.append(f"<p><b>{escape(heading)}</b></p><ul style='margin-left: 0; -qt-list-indent: 1'>{rows}</ul>")
    return "".join(parts)


def counted(number: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"1 {one}" if number == 1 else f"{number:,} {many}"
