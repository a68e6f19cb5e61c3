"""What a statement may do, by its tree. The judgement on single functions, types and views is the generated table's."""
import os
import re

SESSION_KINDS = set('''VariableSetStmt DiscardStmt ListenStmt UnlistenStmt DeclareCursorStmt FetchStmt ClosePortalStmt
PrepareStmt ExecuteStmt DeallocateStmt LoadStmt ConstraintsSetStmt'''.split())
QUERY_KINDS = set('SelectStmt InsertStmt UpdateStmt DeleteStmt MergeStmt CallStmt'.split())

class Judge:
    """Walks a tree; the judgement on single functions is the generated table's."""

    def __init__(self, root):
        self.functions, self.types, self.views = {}, set(), set()
        table = open(os.path.join(root, 'lib/policy/builtins.inc')).read()
        for name, function, category, flags in re.findall(
                r'"(\w+)", \d+, PQR__FUNCTION_(\w+), PQR__KW_\w+, PQR__CATEGORY_(\w+),.*, (.*)\}', table):
            self.functions[name] = function
            if 'TYPE' in flags:
                self.types.add(name)
            if 'TYPE' in flags and category != 'COLUMN' and name != 'double' and not name.startswith('pg_'):
                self.types.add('_' + name)
            if 'SERVER' in flags:
                self.views.add(name)
        spellings = re.findall(r'0x(\w+)u', table.split('operator_slots[')[1])
        self.operators = {int(s, 16).to_bytes(4, 'little').rstrip(b'\0').decode() for s in spellings} - {''}
        assert 'nextval' in self.functions and 'int4' in self.types and 'pg_locks' in self.views
        assert '=' in self.operators

    def names(self, nodes):
        return [n['String'].get('sval', '') for n in nodes if 'String' in n]

    def bad_function(self, names):
        if len(names) > 1 and names[:-1] != ['pg_catalog']:
            return True
        verdict = self.functions.get(names[-1], 'UNKNOWN')
        return verdict != 'HARMLESS' and not (verdict == 'UNKNOWN' and names[-1] in self.types)

    def bad_attribute(self, name):
        return self.functions.get(name, 'UNKNOWN') not in ('UNKNOWN', 'HARMLESS')

    def bad_type(self, node):
        names = self.names(node.get('names', []))
        return (len(names) > 1 and names[:-1] != ['pg_catalog']) or names[-1] not in self.types

    def bad_operator(self, nodes):
        names = self.names(nodes)
        return (len(names) > 1 and names[:-1] != ['pg_catalog']) or (names and names[-1] not in self.operators)

    def bad_node(self, kind, node):
        if kind in ('InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt', 'IntoClause', 'LockingClause'):
            return kind
        if kind == 'SelectStmt' and ('intoClause' in node or 'lockingClause' in node):
            return 'INTO or locking'
        if kind == 'FuncCall' and self.bad_function(self.names(node['funcname'])):
            return 'function ' + '.'.join(self.names(node['funcname']))
        if kind in ('typeName', 'TypeName') and 'names' in node and self.bad_type(node):
            return 'type ' + '.'.join(self.names(node['names']))
        if kind == 'A_Expr' and 'BETWEEN' not in node['kind'] and self.bad_operator(node.get('name', [])):
            return 'operator'
        if kind == 'SubLink' and self.bad_operator(node.get('operName', [])):
            return 'operator'
        if kind == 'SortBy' and self.bad_operator(node.get('useOp', [])):
            return 'operator'
        if kind == 'RangeTableSample':
            return self.names(node['method']) not in (['system'], ['bernoulli']) and 'sampling method'
        if kind in ('RangeVar', 'relation'):
            temporary = re.match('pg_(toast_)?temp', node.get('schemaname', ''))
            return (temporary or node.get('relname') in self.views) and 'relation'
        if kind == 'A_Indirection':
            return any(map(self.bad_attribute, self.names(node.get('indirection', [])))) and 'attribute'
        if kind == 'ColumnRef':
            names = self.names(node.get('fields', []))
            return any(map(self.bad_attribute, names[1:])) and 'attribute'
        return False

    def walk(self, node):
        if isinstance(node, list):
            return next(filter(None, map(self.walk, node)), None)
        if not isinstance(node, dict):
            return None
        for kind, child in node.items():
            bad = isinstance(child, dict) and self.bad_node(kind, child) or self.walk(child)
            if bad:
                return bad
        return None

    def harmful(self, statement):
        """None, or what is wrong with it."""
        (kind, node), = statement.items()
        if kind == 'ExplainStmt':
            return self.harmful(node['query'])
        if kind == 'CopyStmt' and ('is_from' in node or 'filename' in node or 'is_program' in node):
            return 'COPY'
        if kind not in ('SelectStmt', 'VariableShowStmt', 'CopyStmt'):
            return kind
        return self.bad_node(kind, node) or self.walk(node)

    def session(self, statement):
        """None, or what it leaves or needs on its connection."""
        (kind, node), = statement.items()
        if kind == 'ExplainStmt':
            return self.session(node['query'])
        if kind == 'TransactionStmt':
            return not node['kind'].endswith('_PREPARED') and kind
        if kind in SESSION_KINDS:
            return kind
        if kind in ('CreateStmt', 'CreateTableAsStmt', 'ViewStmt', 'CreateSeqStmt') or 'intoClause' in node:
            return self.temporary(node)
        return kind in QUERY_KINDS and self.session_function(node)

    def temporary(self, node):
        relation = (node.get('into') or node.get('intoClause') or {}).get('rel') or node.get('relation') or \
            node.get('view') or node.get('sequence')
        return relation and relation.get('relpersistence') == 't' and 'a temporary relation'

    def session_function(self, node):
        """Called anywhere inside."""
        if isinstance(node, list):
            return next(filter(None, map(self.session_function, node)), None)
        if not isinstance(node, dict):
            return None
        names = self.names(node.get('FuncCall', {}).get('funcname', []))
        if names and names[:-1] in ([], ['pg_catalog']) and self.functions.get(names[-1]) == 'SESSION':
            return 'function ' + names[-1]
        return self.session_function(list(node.values()))
