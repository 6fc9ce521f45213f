"""Getting events to the webhook: signed, in order, at least once."""
