#!/usr/bin/env bash
# Packages the program for this system into dist/star-viewer and tries it.
set -euo pipefail
cd "$(dirname "$0")/.."
make setup
.venv/bin/python -m pip install --quiet "pyinstaller==6.22.3"
.venv/bin/pyinstaller --noconfirm --distpath dist --workpath build/pyinstaller installer/star.spec
.venv/bin/python installer/smoke_test.py dist/star-viewer
