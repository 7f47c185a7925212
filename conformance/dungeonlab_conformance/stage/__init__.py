"""What a scene acts on: game sessions, accounts, actors, and their creation and deletion over HTTP."""
