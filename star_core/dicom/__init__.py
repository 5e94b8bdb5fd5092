"""DICOM in and out: folders to series, series to volumes, segmentations to masks, and back."""
