"""The recorded study of kills of the window: `python -m tests.study_session_kills --n 50 --seed 1`.

The real program runs on a virtual screen with the demonstration patient, while a reader draws, moves, types, edits
structures, undoes and looks about at random. SIGKILL ends it at a random moment. The next start must offer the case;
what it brings back must be the newest state that the window had confirmed, or a later one that it had been given.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EARLY_SHARE, EARLY_S, WORK_S = 0.15, 6.0, (0.2, 4.0)
PATIENCE_S = 60.0
Line = dict[str, Any]


@dataclass(slots=True)
class Tally:
    """What the kills of a study met."""

    while_working: int = 0
    while_starting: int = 0
    not_offered: int = 0
    content_lost: int = 0
    view_lost: int = 0
    given_unconfirmed: int = 0
    given_unconfirmed_and_back: int = 0
    troubles: int = 0
    actions: int = 0
    states: int = 0
    annotations: list[int] = field(default_factory=list)
    largest_bytes: int = 0
    structures_seen_again: int = 0
    structures_other: int = 0
    structures_lost: int = 0


@dataclass(slots=True)
class Known:
    """What may come back: the newest confirmed state first, then those that were given after it."""

    states: list[tuple[str, str]] = field(default_factory=list)
    structures: dict[str, int] = field(default_factory=dict)


def main() -> None:
    """Run the study and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, virtual_screen() as display:
        tally = run(asked.n, asked.seed, Path(home), display)
    rows = {
        "kills": asked.n,
        "of them while the reader worked": tally.while_working,
        "of them while the program started or brought the case back": tally.while_starting,
        "actions": tally.actions,
        "states given to be kept": tally.states,
        "annotations in the case that came back": f"{min(tally.annotations)} to {max(tally.annotations)}",
        "starts that did not offer the case": tally.not_offered,
        "starts after which confirmed content was missing or other": tally.content_lost,
        "starts after which a confirmed view was missing or other": tally.view_lost,
        "kills with a state given and not yet confirmed": tally.given_unconfirmed,
        "of them, that state came back all the same": tally.given_unconfirmed_and_back,
        "edited structures that were seen again": tally.structures_seen_again,
        "of them, voxels other than before": tally.structures_other,
        "edited structures that could not be read": tally.structures_lost,
        "states that could not be kept": tally.troubles,
        "largest journal": f"{tally.largest_bytes / 1e6:.2f} MB",
    }
    print("\n".join(("| what | measured |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items()))))


@contextmanager
def virtual_screen() -> Iterator[str]:
    """Start a virtual screen and return its name."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    screen = subprocess.Popen(command, pass_fds=(write,), stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as number:
        name = f":{number.readline().strip()}"
    try:
        yield name
    finally:
        screen.terminate()
        screen.wait()


def run(kills: int, seed: int, home: Path, display: str) -> Tally:
    """Kill the program at moments drawn by seed; the last start only looks at what came back."""
    generator, tally, known = random.Random(seed), Tally(), Known()
    for kill in range(kills + 1):
        last = kill == kills
        early = not last and bool(known.states) and generator.random() < EARLY_SHARE
        after_s = generator.uniform(0.0, EARLY_S) if early else generator.uniform(*WORK_S)
        lines = _run_once(home, display, seed * 1000 + kill, demo=not known.states, early=early, after_s=after_s)
        _judge(lines, known, tally, counted=not last)
        journals = list((home / "workspaces").glob("*/journal.jsonl"))
        tally.largest_bytes = max([tally.largest_bytes, *(path.stat().st_size for path in journals)])
        print(
            f"kill {kill + 1}: {len(lines)} lines, {tally.content_lost} + {tally.view_lost} lost",
            file=sys.stderr,
            flush=True,
        )
    return tally


def _run_once(home: Path, display: str, seed: int, *, demo: bool, early: bool, after_s: float) -> list[Line]:
    """Start the program, kill it ``after_s`` seconds after its start or after the case was back, return its lines."""
    environment = os.environ | {"STAR_HOME": str(home), "DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
    command = [sys.executable, "-m", "tests.session_driver", "--seed", str(seed), *(["--demo"] if demo else [])]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True, start_new_session=True
    )
    lines: list[Line] = []
    is_back = threading.Event()

    def listen() -> None:
        assert child.stdout is not None
        for text in child.stdout:
            if text.endswith("\n"):
                lines.append(json.loads(text))
                if "back" in lines[-1]:
                    is_back.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    if not early:
        is_back.wait(PATIENCE_S)
    time.sleep(after_s)
    child.send_signal(signal.SIGKILL)
    child.wait()
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)  # its workers end by themselves, but somewhat later
    listener.join(10.0)
    return lines


def _judge(lines: list[Line], known: Known, tally: Tally, *, counted: bool) -> None:
    back = next((line for line in lines if "back" in line), None)
    if counted:
        tally.while_working += back is not None
        tally.while_starting += back is None
    tally.troubles += sum("trouble" in line for line in lines)
    tally.actions += sum("did" in line for line in lines)
    _compare_structures(lines, known, tally)
    if back is None:
        return  # killed before: the next start must bring the same
    tally.annotations.append(back["annotations"])
    if known.states:
        tally.not_offered += not any("offered" in line for line in lines)
        _compare(back, known, tally)
    given = {line["given"]: (line["content"], line["view"]) for line in lines if "given" in line}
    tally.states += len(given)
    kept = max((line["kept"] for line in lines if "kept" in line), default=0)
    after = [given[version] for version in sorted(given) if version >= kept]
    known.states = after if kept else [*known.states, *after]


def _compare_structures(lines: list[Line], known: Known, tally: Tally) -> None:
    """Voxels after the same edits are the same, whether they were just made, undone to, or read after a kill."""
    tally.structures_lost += sum("structures_lost" in line for line in lines)
    for line in lines:
        if line.get("structures"):
            before = known.structures.setdefault(line["structures"], line["voxels"])
            tally.structures_seen_again += 1
            tally.structures_other += before != line["voxels"]


def _compare(back: Line, known: Known, tally: Tally) -> None:
    found = (back["content"], back["view"])
    contents, views = zip(*known.states, strict=True)
    tally.content_lost += found[0] not in contents
    tally.view_lost += found[1] not in views
    if len(set(known.states)) > 1:
        tally.given_unconfirmed += 1
        tally.given_unconfirmed_and_back += found == known.states[-1]


if __name__ == "__main__":
    main()
