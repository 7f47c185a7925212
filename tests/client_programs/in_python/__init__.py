"""Clients on python-socketio's AsyncClient: a correct one, and what makes it faulty or odd."""
