"""The protocol in the formats of other tools, one file per format. All of it follows from the catalogue."""
