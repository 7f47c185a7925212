"""What several reports say in the same way: groups of verdicts, sentences, diagrams."""
