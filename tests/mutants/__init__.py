"""Servers with one fault each, by which the suite proves that it can say no. ``in_<area>.py`` hold the servers."""
