"""Asks peers and the host, each within its time. What goes wrong is a value, and never a library's words."""
