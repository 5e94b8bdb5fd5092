"""What is said of an assessment, and how it is drawn and printed."""
