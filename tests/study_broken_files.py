"""The recorded study of broken files: `python -m tests.study_broken_files --n 20000 --seed 1 --out journal.jsonl`.

Each copy goes through import and through open. The journal holds a line a copy, so that a study that was stopped goes
on; its table is printed at the end.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

from star_core.archive.archive import Archive
from star_core.archive.importer import import_studies
from star_core.dicom.children import dicom_children
from tests.broken import BREAKS
from tests.foreign import build_bases, build_copy, build_reference, open_all, peak_memory_mb, write_case

BLOCK = 200
LONGEST_S = 10.0


def main() -> None:
    """Run the study, or go on with it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    warnings.simplefilter("error")
    done = _read_journal(asked.out)
    with tempfile.TemporaryDirectory() as work:
        _run(asked, len(done), Path(work))
    for line in build_table(_read_journal(asked.out)):
        print(line)


def _read_journal(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _run(asked: argparse.Namespace, start: int, work: Path) -> None:
    bases, reference = build_bases(work / "bases"), build_reference(work / "reference")
    with Archive(work / "archive") as archive, asked.out.open("a") as journal:
        for first in range(start, asked.n, BLOCK):
            numbers = range(first, min(first + BLOCK, asked.n))
            kept = work / "block"
            kept.mkdir()
            lines = []
            for number in numbers:
                broken = build_copy(bases, asked.seed, number)
                (kept / f"{number:06}.dcm").write_bytes(broken.data)
                write_case(broken, work / "case")
                outcome, seconds = _timed(lambda: open_all(work / "case", reference))
                line = {"number": number, "base": broken.base.name, "kind": broken.kind, "open": outcome}
                lines.append({**line, "open_s": round(seconds, 3)})
            report, seconds = _import(archive, kept)
            for line in lines:
                label = f"block/{line['number']:06}.dcm"
                line |= {"import": report.get(label, "imported, known or not DICOM"), "import_s": round(seconds, 3)}
            shutil.rmtree(kept)
            lines[-1] |= _memory()
            lines[-1]["strangers"] = _strangers(work)
            journal.write("".join(json.dumps(line) + "\n" for line in lines))
            journal.flush()
    dicom_children().close()


def _timed(work) -> tuple[str, float]:  # type: ignore[no-untyped-def]
    start = time.perf_counter()
    try:
        outcome = work()
    except BaseException as error:  # noqa: BLE001 - whatever gets through is what the study looks for
        outcome = f"CRASH {type(error).__name__}: {error} {traceback.format_exc()[-600:]}"
    return outcome, time.perf_counter() - start


def _import(archive: Archive, folder: Path) -> tuple[dict[str, str], float]:
    start = time.perf_counter()
    try:
        report = {failed.label: failed.reason for failed in import_studies(archive, [folder]).failed}
    except BaseException as error:  # noqa: BLE001 - as above
        text = f"CRASH {type(error).__name__}: {error} {traceback.format_exc()[-600:]}"
        report = {f"block/{path.name}": text for path in folder.iterdir()}
    return report, time.perf_counter() - start


def _memory() -> dict[str, float]:
    """Return the largest memory so far, in MB: of this process, of children that ended, of any that lives."""
    kinds = {"own_mb": resource.RUSAGE_SELF, "children_mb": resource.RUSAGE_CHILDREN}
    ended = {name: resource.getrusage(kind).ru_maxrss / 1024 for name, kind in kinds.items()}
    return {**ended, "children_mb": max(ended["children_mb"], peak_memory_mb())}


def _strangers(work: Path) -> list[str]:
    """Return files that lie where the study put none, and files in the archive that are not named by a hash."""
    known = {"bases", "reference", "archive", "case"}
    found = [path.name for path in work.iterdir() if path.name not in known]
    found += [path.name for path in work.parent.iterdir() if "escape" in path.name]
    for path in (work / "archive").rglob("*"):
        place = path.relative_to(work / "archive").parts
        named = place[0] == "files" and (path.is_dir() or (len(path.stem) == 64 and path.suffix == ".dcm"))
        if not named and place[0] not in ("archive.sqlite", "archive.sqlite-wal", "archive.sqlite-shm", "incoming"):
            found.append(path.name)
    return found


def build_table(lines: list[dict[str, object]]) -> list[str]:
    """Return what the study found as rows of a table in Markdown."""
    opened = Counter(_short(str(line["open"])) for line in lines)
    imported = Counter(_short(str(line["import"])) for line in lines)
    seconds = sorted(float(str(line["open_s"])) for line in lines)
    rows = [
        ("copies", str(len(lines))),
        *(
            (f"broken by: {kind}", str(sum(line["kind"] == kind for line in lines)))
            for kind in (*sorted(BREAKS), "deflate bomb")
        ),
        *((f"open: {outcome}", str(count)) for outcome, count in opened.most_common()),
        *((f"import: {outcome}", str(count)) for outcome, count in imported.most_common()),
        ("open, longest", f"{seconds[-1]:.2f} s"),
        ("open, median", f"{seconds[len(seconds) // 2]:.3f} s"),
        ("open, above 10 s", str(sum(second > LONGEST_S for second in seconds))),
        (f"import of {BLOCK} copies, longest", f"{max(float(str(line['import_s'])) for line in lines):.1f} s"),
        ("largest memory of the program", f"{max(float(str(line.get('own_mb', 0))) for line in lines):.0f} MB"),
        ("largest memory of a child", f"{max(float(str(line.get('children_mb', 0))) for line in lines):.0f} MB"),
        ("files where none belong", str(sum(len(line.get("strangers", ())) for line in lines))),  # type: ignore[arg-type]
    ]
    return ["| what | how many |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]


def _short(outcome: str) -> str:
    return "CRASH" if outcome.startswith("CRASH") else outcome


if __name__ == "__main__":
    main()
