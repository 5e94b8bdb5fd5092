"""What the archive tells is read without a database: a window gets rows from its worker."""

from __future__ import annotations

import subprocess
import sys


def test_rows_load_no_database() -> None:
    code = (
        "import sys, star_core.archive.rows; print([name for name in ('sqlalchemy', 'pydicom') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
