"""The local engine: a caller, a Deepgram-compatible server, a recognizer and a webhook receiver."""
