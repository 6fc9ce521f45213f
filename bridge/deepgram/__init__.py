"""Talking to Deepgram: its messages, our options, the session machine and the socket."""
