"""Tries a packaged program: demonstration patient, forecast, models, the window's own help."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

SUFFIX = ".exe" if sys.platform == "win32" else ""


def main(package: Path) -> None:
    """Run the programs of ``package`` and check what they leave."""
    star, viewer = package / f"star{SUFFIX}", package / f"star-viewer{SUFFIX}"
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        subprocess.run([star, "demo", work / "patient"], check=True)
        subprocess.run([star, "assess", "--ct", work / "patient", "--out", work / "result"], check=True)
        forecast = json.loads((work / "result" / "forecast.json").read_text(encoding="utf-8"))
        total = [
            any_recurrence + death + event_free
            for any_recurrence, death, event_free in zip(
                forecast["recurrence"]["any"]["cumulative_incidence"],
                forecast["death_without_recurrence"]["cumulative_incidence"],
                forecast["event_free_survival"],
                strict=True,
            )
        ]
        if any(abs(value - 1.0) > 1e-9 for value in total):
            sys.exit("The packaged program's incidences and survival do not sum to 1.")
    subprocess.run([viewer, "--version"], check=True)
    print("The packaged program works.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
