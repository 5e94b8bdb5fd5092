"""Fine-tune a model on the centre's own cohort, in a process of its own, with live losses and a kind cancel."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtCore import QProcess, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from star_core.isolation import star_command
from star_viewer.dialogs.loss_chart import LossChart
from star_viewer.theme import GRID

DEFAULT_EPOCHS = 20


class FineTuneDialog(QDialog):
    """Picks a cohort, trains, and offers the new model; ``bundle_ready`` carries its folder."""

    bundle_ready = Signal(str)

    def __init__(
        self,
        models: tuple[str, ...],
        out_parent: Path,
        parent: QWidget | None = None,
        *,
        command: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(parent)
        self._command, self._out_parent = command or star_command(), out_parent
        self._process: QProcess | None = None
        self._pending = ""
        self._bundle = ""
        self._refused = False
        self.setWindowTitle("Fine-tune on our patients")
        self.cohort = QLineEdit()
        self.cohort.setPlaceholderText("Folder with manifest.json")
        self.cohort.setAccessibleName("Folder of the cohort")
        self.browse = QPushButton("Choose…")
        self.model = QComboBox()
        self.model.addItems(models)
        self.model.setAccessibleName("Start from")
        self.name = QLineEdit("our-model")
        self.epochs = QSpinBox(minimum=1, maximum=1000, value=DEFAULT_EPOCHS)
        self.chart = LossChart()
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.status = QLabel("Only the heads learn; the scan's part of the network stays as it is.")
        self.status.setWordWrap(True)
        self.start_button = QPushButton("Train")
        self.start_button.setDefault(True)
        self.cancel_button = QPushButton("Stop and keep the best so far")
        self.use_button = QPushButton("Use the new model")
        self._lay_out()
        self.browse.clicked.connect(self._choose_cohort)
        self.start_button.clicked.connect(self.start)
        self.cancel_button.clicked.connect(self.cancel)
        self.use_button.clicked.connect(lambda: self.bundle_ready.emit(self._bundle))
        self._show_running(False)

    def _lay_out(self) -> None:
        cohort = QHBoxLayout()
        cohort.addWidget(self.cohort, 1)
        cohort.addWidget(self.browse)
        form = QFormLayout()
        form.addRow("Cohort", cohort)
        form.addRow("Start from", self.model)
        form.addRow("Name of the new model", self.name)
        form.addRow("Epochs at most", self.epochs)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        for button in (self.cancel_button, self.use_button, self.start_button):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.addLayout(form)
        layout.addWidget(self.chart, 1)
        layout.addWidget(self.progress)
        layout.addWidget(self.status)
        layout.addLayout(buttons)

    @property
    def running(self) -> bool:
        """Whether training runs."""
        return self._process is not None

    def start(self) -> None:
        """Start training in a process of its own."""
        if self.running or not self.cohort.text().strip():
            self.status.setText("Choose the cohort's folder first.")
            return
        if not _is_file_name(self.name.text().strip()):
            self.status.setText("Give the new model a name that can be a folder's name, without slashes.")
            return
        self.chart.clear(self.epochs.value())
        self._bundle, self._pending, self._refused = "", "", False
        process = QProcess(self)
        process.setProgram(self._command[0])
        process.setArguments([*self._command[1:], *self._arguments()])
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._finish)
        process.errorOccurred.connect(self._cannot_start)
        self._process = process
        self.status.setText("Looking at each scan once…")
        self._show_running(True)
        process.start()

    def cancel(self) -> None:
        """Ask training to stop after the running batch; the best epoch so far becomes the model."""
        if self._process is not None:
            self.status.setText("Stopping after this batch…")
            self._process.write(b"cancel\n")

    def _arguments(self) -> list[str]:
        out = self._out_parent / self.name.text().strip()
        return [
            "finetune",
            *("--model", self.model.currentText()),
            *("--cohort", self.cohort.text().strip()),
            *("--out", str(out)),
            *("--name", self.name.text().strip()),
            *("--epochs", str(self.epochs.value())),
            "--json",
        ]

    def _choose_cohort(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Choose the cohort's folder")
        if folder:
            self.cohort.setText(folder)

    def _read(self) -> None:
        if self._process is None:
            return
        self._pending += bytes(self._process.readAllStandardOutput().data()).decode("utf-8", "replace")
        *lines, self._pending = self._pending.split("\n")
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                self._take(event)

    def _take(self, event: dict[str, object]) -> None:
        match event:
            case {"event": "progress", "done": int(done), "total": int(total)}:
                self.progress.setMaximum(total)
                self.progress.setValue(done)
            case {"event": "epoch", "epoch": int(epoch), "epochs": int(epochs), "train_loss": t, "validation_loss": v}:
                self.chart.add(epoch, epochs, float(str(t)), float(str(v)))
                self.status.setText(f"Epoch {epoch} of {epochs}: validation loss {float(str(v)):.4f}")
            case {"event": "finished", "bundle": str(bundle)}:
                self._bundle = bundle
                self.status.setText(
                    "The new model is ready; its card holds figures on patients it has not seen."
                    if event.get("measures")
                    else "The new model is ready. Too few patients were kept apart to measure it."
                )
            case {"event": "error", "message": str(message)}:
                self._refused = True
                self.status.setText(message)

    def _finish(self) -> None:
        self._read()
        complaint = (
            ""
            if self._process is None
            else bytes(self._process.readAllStandardError().data()).decode("utf-8", "replace")
        )
        self._process = None
        if not self._bundle and not self._refused:
            lines = complaint.strip().splitlines() or [""]
            self.status.setText(f"Training ended unexpectedly; nothing was changed. {lines[-1]}".strip())
            self.status.setToolTip("\n".join(lines[-20:]))
        self._show_running(False)

    def _cannot_start(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._process = None
            self.status.setText("The training process cannot be started.")
            self._show_running(False)

    def _show_running(self, running: bool) -> None:
        for widget in (self.cohort, self.browse, self.model, self.name, self.epochs, self.start_button):
            widget.setEnabled(not running)
        self.cancel_button.setEnabled(running)
        self.use_button.setEnabled(bool(self._bundle) and not running)
        self.progress.setVisible(running)

    def reject(self) -> None:
        """Close; a running training is stopped and keeps its best epoch."""
        if self._process is not None:
            self.cancel()
            return
        super().reject()


def _is_file_name(text: str) -> bool:
    return bool(text.strip(".")) and not set(text) & set("/\\:")
