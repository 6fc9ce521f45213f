"""One module per carrier: its JSON in, `messages` out."""
