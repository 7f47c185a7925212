"""What ends a run early: signals, and a server that goes away."""
