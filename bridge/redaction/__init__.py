"""Redaction of our own: what is not to be read is taken out of results before anything else sees them.

`redactor` is the machine, one per call; `finding` says what is found among words, `numbers` which digits they are,
`addresses` which e-mail addresses, `tokens` how a result is taken apart and put together again, `rules` what is looked
for. None of them knows a recognizer, an event or a store.
"""
