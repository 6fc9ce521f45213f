"""A recognizer beside Deepgram: a server that speaks the Vosk server's protocol, one channel on a socket."""
