"""One file per format. Each reads a `Run`; none of them judges."""
