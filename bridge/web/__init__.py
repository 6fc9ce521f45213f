"""The doors: what the world can reach of us by HTTP and WebSocket."""
