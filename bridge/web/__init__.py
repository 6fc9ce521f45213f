"""The handlers: everything that clients and carriers reach by HTTP and WebSocket."""
