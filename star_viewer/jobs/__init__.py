"""Work outside the window: requests, the process that does them, and the runner that watches over it."""
