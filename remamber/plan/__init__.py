"""Studies and run specs: what to run, as plain data."""
