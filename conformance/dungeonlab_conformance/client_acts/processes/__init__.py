"""Processes of acts: the program under test, which ends with the suite whatever ends that, and the bundled server."""
