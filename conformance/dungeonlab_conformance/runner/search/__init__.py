"""The search: random plays on one server, what they show made as short as it can be, and played again."""
