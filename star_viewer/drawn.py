"""What views and list do with annotations alike; every change goes into the history."""

from __future__ import annotations

from dataclasses import replace

from star_core.imaging.annotations import Annotation, AnnotationKind, clean_label
from star_viewer.session import Session

NAMES = {
    AnnotationKind.DISTANCE: "distance",
    AnnotationKind.ANGLE: "angle",
    AnnotationKind.ELLIPSE: "ellipse",
    AnnotationKind.FREEHAND: "freehand region",
    AnnotationKind.ARROW: "arrow",
    AnnotationKind.TEXT: "text",
}


def add_annotation(session: Session, annotation: Annotation) -> None:
    """Add what was drawn, and select it."""
    session.history.change(f"draw the {NAMES[annotation.kind]}", annotations=(*session.annotations, annotation))
    session.select(annotation.id)


def move_annotation(session: Session, moved: Annotation) -> None:
    """Follow a drag: what moves until ``history.seal`` is one step."""
    _put(session, moved, f"move the {NAMES[moved.kind]}", merging=True)


def rename_annotation(session: Session, annotation_id: str, label: str) -> None:
    """Give an annotation another label."""
    found = next((one for one in session.annotations if one.id == annotation_id), None)
    if found is not None:
        _put(session, replace(found, label=clean_label(label)), f"rename the {NAMES[found.kind]}", merging=False)


def delete_selected(session: Session) -> None:
    """Delete the annotation that is selected."""
    selected = session.selected
    if selected is not None:
        left = tuple(one for one in session.annotations if one.id != selected.id)
        session.history.change(f"delete the {NAMES[selected.kind]}", about=selected.id, annotations=left)


def _put(session: Session, annotation: Annotation, text: str, *, merging: bool) -> None:
    changed = tuple(annotation if one.id == annotation.id else one for one in session.annotations)
    session.history.change(text, about=annotation.id, merging=merging, annotations=changed)
