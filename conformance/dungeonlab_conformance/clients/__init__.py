"""Our own connections to a server: Socket.IO, Engine.IO, WebSocket frames, TCP and HTTP."""
