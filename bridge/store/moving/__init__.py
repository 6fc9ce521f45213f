"""A record on its way from SQLite into PostgreSQL, while no process has it: what `bridge migrate` does.

rows        what is copied, as both stores have it, and the hash that tells whether it is the same: pure
source      the SQLite record, read in pieces, and the file beside it that says whose copy there is
statements  the SQL of the database that it goes to
target      that database: who copies into it, what is there, what is written
moving      one after the other: copy call by call, then compare all of it
"""
