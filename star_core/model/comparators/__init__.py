"""What STAR is compared with: scores, Cox, forest, and other networks; all forecast the same curves."""
