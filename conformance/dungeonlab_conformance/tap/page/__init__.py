"""The live page: what passes through the tap, drawn in a browser on this machine as it passes."""
