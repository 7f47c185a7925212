"""Makes the covering plays of every run: `python -m tools.covering`."""
