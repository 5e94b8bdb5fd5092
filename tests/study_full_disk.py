"""The recorded study of a full disk: `python -m tests.study_full_disk --folder MOUNTED`.

The folder lies on a small file system of its own, such as `mount -t tmpfs -o size=400m tmpfs MOUNTED` gives. While an
import into it runs, another file takes the rest of the disk. The import must end with an error in words, everything it
shows must be equal to its source, and with the disk free again it must go on to its end.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from star_core.archive.archive import INCOMING_FOLDER, Archive
from star_core.archive.importer import continue_import, import_studies
from star_core.errors import StorageError
from tests.study_kills import Tally, count_seen, write_sources


def main() -> None:
    """Run the study and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--left-bytes", type=int, default=300_000, help="What the other file leaves of the disk.")
    asked = parser.parse_args()
    folder, left_bytes = asked.folder, asked.left_bytes
    tally, filler = Tally(), folder / "filler"
    with tempfile.TemporaryDirectory() as work:
        sources = write_sources(Path(work))

        def fill(done: int, total: int) -> None:
            if done >= total // 4 and not filler.exists():
                with filler.open("wb") as file:
                    for _ in range((shutil.disk_usage(folder).free - left_bytes) >> 16):
                        file.write(bytes(1 << 16))

        told = "nothing"
        with Archive(folder / "archive") as archive:
            try:
                import_studies(archive, [Path(work)], progress=fill)
            except StorageError as error:
                told = error.message
        print(f"files to import: {len(sources)}; told: {told}")
        print(f"shown by the archive while the disk is full: {count_seen(folder / 'archive', sources, tally)}")
        filler.unlink()
        with Archive(folder / "archive") as archive:
            for number in archive.unfinished_imports():
                continue_import(archive, number)
        print(f"shown after going on: {count_seen(folder / 'archive', sources, tally)}")
        left = len(list((folder / "archive" / INCOMING_FOLDER).iterdir()))
        print(f"different from their source: {tally.not_equal}; left in incoming: {left}")


if __name__ == "__main__":
    main()
