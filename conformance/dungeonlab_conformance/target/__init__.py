"""The server under test: its address, accounts, limits and dialect, and the file that describes it."""
