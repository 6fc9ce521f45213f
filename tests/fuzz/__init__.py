"""Real messages of our peers, changed a little, at each border: what may come in, and what must hold whatever comes.

mutations   changes of JSON messages and of raw octets, by chance
borders     what a border is given, and what must hold there
routes      requests of anyone at a running bridge
__main__    many inputs, from a seed: `./scripts/fuzz`
"""
