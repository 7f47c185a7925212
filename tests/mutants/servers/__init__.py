"""Servers with one fault each, one file per kind of fault. Importing a file registers its servers."""
