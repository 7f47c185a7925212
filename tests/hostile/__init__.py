"""Hostile surroundings of a run: traffic damaged on its way, servers that are killed. The suite must end well."""
