"""``star-viewer``: the desktop program."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import star_core

SWITCH_INTERVAL_S = 0.001


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(prog="star-viewer", description=star_core.RESEARCH_NOTICE)
    parser.add_argument("folder", nargs="?", type=Path, help="CT folder, DICOM file or NIfTI file to open")
    parser.add_argument("--seg", type=Path, help="DICOM SEG, file or folder")
    parser.add_argument("--clinical", type=Path, help="clinical record as JSON")
    parser.add_argument("--demo", action="store_true", help="open the demonstration patient (synthetic)")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="keep pictures of the window and close")
    parser.add_argument("--measure", type=Path, metavar="FILE", help="measure the window, write JSON and close")
    parser.add_argument("--version", action="version", version=f"star-viewer {star_core.__version__}")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the window and run until it is closed."""
    options = parse_arguments(arguments)
    from PySide6.QtWidgets import QApplication

    from star_viewer.app import StarApp

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Threads that work beside the window hand Python's lock on sooner than after the usual 5 ms.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    qt_app = QApplication(sys.argv[:1])
    qt_app.setApplicationName("STAR Viewer")
    star = StarApp(qt_app)
    if options.pictures is not None:
        from star_viewer.pictures import PictureTaker

        PictureTaker(star, options.pictures)
        star.window.resize(1600, 1000)
    if options.measure is not None:
        from star_viewer.measure import WindowMeter

        WindowMeter(star, options.measure)
    star.show()
    if options.folder is not None:
        star.workflow.open_folder(options.folder, segmentation=options.seg, clinical=options.clinical)
    elif options.demo:
        star.workflow.open_demo()
    return int(qt_app.exec())


if __name__ == "__main__":
    sys.exit(main())
