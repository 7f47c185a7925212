"""The tap: relays bytes between clients and a server, unchanged, and reads along what they say."""
