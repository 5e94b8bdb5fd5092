"""The local archive: studies that were imported, found again by patient, date, modality and text."""
