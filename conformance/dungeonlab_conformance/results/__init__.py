"""What a run came to: verdicts, exit codes, known failures, and the result as JSON."""
