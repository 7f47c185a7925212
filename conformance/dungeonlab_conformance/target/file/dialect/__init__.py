"""The section ``[dialect]`` of a target's file: its tables, and what they ask of each other."""
