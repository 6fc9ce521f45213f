"""A chaos run of several nodes with one record in PostgreSQL; each module imports only from those before it.

    plan        which node is struck how, and when
    oracle      what was said in a call against what came of it, and what all readers have against the log
    wires       between callers and nodes a balancer, between nodes and database a wire that can be cut
    node        one node as a process that is killed, drained, stalled and started again
    street      all nodes, their wires, their database, and what struck them
    phone       the carrier's part of one call
    follower    who reads the feed of all calls, now at one node, now at another
    run         all of it at once
    report      what is said of it
    command     what is chosen on the command line

`plan` and `oracle` are pure.
"""
