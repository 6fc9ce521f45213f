"""The store of many processes: PostgreSQL. `docs/postgres.md` says what it promises, and why it is made like this.

schema       the tables, and how they come to be
statements   all other SQL, by name
plan         what a group of writes does to the rows it has locked: a machine
group        one group in one transaction: lock, plan, write
writer       which writes form a group, and what happens while the database is away
order        up to where the log of all calls can be read with nothing missing
lease        whether this process may still count as alive: a machine
node         its heartbeats
telling      what processes tell each other: a machine for the words, and interims of other processes' calls
bus          LISTEN, NOTIFY, and the poll behind them
lexemes      the words of a text, as they are looked for
connections  connections, and what their errors mean
    search, record, outbox, owners, store   the protocols of `store.base` on all that
"""
