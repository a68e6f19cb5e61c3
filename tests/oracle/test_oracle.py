#!/usr/bin/env python3
"""PostgreSQL 15's own parser (libpg_query) judges the classifier.

    tests/oracle/test_oracle.py PQROUTER SOURCE_ROOT [--count 20000] [--seed 1] [--print-missed 20]

Statements are made by a small grammar and by breaking and mending the unit test's statements token by token. What
the parser accepts is judged by its tree: a statement whose tree holds anything harmful must never be called
replica, and one that leaves something in its session must be called session. The reverse, harmless ones kept from
replicas, is counted and printed. Exits 77 without libpg_query. tests/oracle/run does the same at length.
"""
import sys

import asking
from trial import trial


def main():
    options = asking.options(__doc__, 20000, print_missed=0)
    tally = trial(options.command, options.root, options.count, options.seed)
    tally.print(options.print_missed)
    return 1 if tally.wrong else 0


sys.exit(main())
