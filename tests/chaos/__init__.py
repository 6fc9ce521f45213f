"""A chaos run, bottom to top; each module imports only from those before it.

    scenario    what goes wrong and when
    chance      a scenario from a seed
    speech      what is said, and what it sounds like
    spoken      what the carrier really delivered of a call
    record      what came of it at the webhook, by itself
    oracle      the one against the other
    stopping    what is ended by a signal, with all that it has started
    house       the bridge as a process that is killed and started
    player      the carrier's part of one call
    weather     the faults of Deepgram's and the webhook's
    run         all of it at once
    rolling     the same with nodes that are replaced in turn
    report      what is said of it
    nodes/      the same of several nodes with one record in PostgreSQL

All up to `oracle` are pure.
"""
