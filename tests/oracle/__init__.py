"""Plain computations that the program's shortcuts must equal; slow, and written to be read."""
