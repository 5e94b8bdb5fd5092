# Packages the program for Windows into dist\star-viewer and tries it.
$ErrorActionPreference = "Stop"
Set-Location (Join-Path $PSScriptRoot "..")
if (-not (Test-Path .venv)) { py -3 -m venv .venv }
.venv\Scripts\python -m pip install --quiet --upgrade pip setuptools wheel
.venv\Scripts\python -m pip install --quiet --requirement requirements.lock
.venv\Scripts\python -m pip install --quiet --no-deps --no-build-isolation --editable .
.venv\Scripts\python -m pip install --quiet "pyinstaller==6.22.3"
.venv\Scripts\pyinstaller --noconfirm --distpath dist --workpath build\pyinstaller installer\star.spec
.venv\Scripts\python installer\smoke_test.py dist\star-viewer
if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
