"""What is left out where a driver is not installed: it comes with the extra `test`."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("psycopg") else ["test_postgres.py", "test_moving.py", "postgres"]
