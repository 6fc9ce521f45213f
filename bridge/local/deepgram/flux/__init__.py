"""`/v2/listen`: Flux, which hears one channel and says when the speaker's turn begins and ends."""
