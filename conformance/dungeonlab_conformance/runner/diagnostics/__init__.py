"""What helps to find out why: a walk through the set-up before a run, a recorded finding played again after it."""
