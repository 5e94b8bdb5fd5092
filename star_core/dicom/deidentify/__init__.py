"""De-identified copies of DICOM files by PS3.15 Annex E."""
