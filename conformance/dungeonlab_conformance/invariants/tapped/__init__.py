"""What a tap saw, judged by those invariants that need no knowledge of a scene: any clients, any number, any time."""
