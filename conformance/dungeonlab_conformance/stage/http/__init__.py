"""The HTTP steps of a target's file: carried out, and what is captured from their answers."""
