"""PostgreSQL 15's own parser, as libpg_query has it. It overflows its stack on long expressions and leaks thread
keys: statements stay short, and a process that uses it does not live long."""
import ctypes
import ctypes.util
import json
import sys


class QueryError(ctypes.Structure):
    _fields_ = [('message', ctypes.c_char_p)]


class Parsed(ctypes.Structure):
    _fields_ = [('tree', ctypes.c_char_p), ('stderr', ctypes.c_char_p), ('error', ctypes.POINTER(QueryError))]


class Parser:
    def __init__(self):
        name = ctypes.util.find_library('pg_query')
        if name is None:
            print('libpg_query is not installed: skipped')
            sys.exit(77)
        self.library = ctypes.CDLL(name)
        self.library.pg_query_parse.restype = Parsed
        self.library.pg_query_parse.argtypes = [ctypes.c_char_p]
        self.library.pg_query_free_parse_result.argtypes = [Parsed]

    def tree(self, sql):
        """None: a syntax error."""
        parsed = self.library.pg_query_parse(sql)
        try:
            tree = None if parsed.error else json.loads(parsed.tree.decode('utf-8', 'replace'))
        except RecursionError:
            tree = None
        self.library.pg_query_free_parse_result(parsed)
        return tree
