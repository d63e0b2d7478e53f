"""What holds for every kind of worker, seen with each: `python -m tests.pool.contract` prints the table."""
