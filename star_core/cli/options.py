"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for a program instead of text.")]
OutFolder = Annotated[Path, typer.Option("--out", help="New folder for the result.", show_default=False)]
CohortFolder = Annotated[Path, typer.Option("--cohort", help="Folder with manifest.json.", show_default=False)]
ModelName = Annotated[str | None, typer.Option("--model", help="Model by name or folder; else the active one.")]
Epochs = Annotated[int | None, typer.Option("--epochs", min=1, help="Epochs at most.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of every random number.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
CtFolder = Annotated[Path, typer.Option("--ct", help="Folder with the CT, or a NIfTI file.", show_default=False)]
Segmentation = Annotated[Path | None, typer.Option("--seg", help="DICOM SEG, file or folder.")]
RecordFile = Annotated[Path | None, typer.Option("--clinical", help="Clinical record: JSON or workbook.")]
PatientName = Annotated[str | None, typer.Option("--patient", help="The patient's name in the workbook.")]
