#!/usr/bin/env python3
"""Writes builtins.inc: what pqrouter knows of PostgreSQL's own words, judged.

    python3 lib/policy/builtins.py CONNINFO... > lib/policy/builtins.inc

The arguments are conninfos for psql, of servers without extensions: one of each version that is supported
(tests/support/builtins starts them). Functions, types, views, operators and key words come from their catalogs. A
harmless function that one of them lacks is marked as newer: there its name may be a user's.

A function is harmless when it is immutable or stable and in none of the lists below, or volatile and in HARMLESS.
provolatile alone would be wrong in both directions: txid_current is stable and refused on a standby, advisory
locks and set_config succeed there silently, random and pg_sleep are volatile and hurt nobody. Overloads of one
name share the strictest verdict, those of all versions too. Functions that only the server itself can call (they take or return type
internal, triggers, handlers) and those that call another type's input function are left out: unknown.
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

# In order of strictness; the first pattern that matches the whole name decides.
JUDGED = [
    ('SESSION', r'''set_config|setseed|currval|lastval|pg_advisory_(un)?lock.*|pg_try_advisory_lock.*
        |lo_open|lo_close|lo_lseek(64)?|lo_tell(64)?|lo_truncate(64)?|loread|lowrite
        |pg_stat_clear_snapshot|pg_stat_force_next_flush|pg_replication_origin_(session|xact)_.*'''),
    ('WRITE', r'brin_(de)?summarize.*'),
    ('LOCK', r'pg_(try_)?advisory_xact_lock.*'),
    ('FILES', r'''lo_import|lo_export|pg_(read|stat)_(binary_)?file.*|pg_ls_.*|pg_file_.*|pg_logdir_ls
        |pg_import_system_collations|pg_extension_update_paths'''),
    ('SQL', r'''(query|table|schema|database|cursor)_to_xml.*|ts_stat|ts_rewrite|pg_input_.*'''),
    ('STANDBY', r'''txid_current|pg_current_xact_id|pg_export_snapshot|pg_current_wal_.*|pg_walfile_name.*
        |pg_replication_origin_oid|pg_switch_wal|pg_create_restore_point|pg_backup_.*|pg_(start|stop)_backup|pg_is_in_backup|pg_notify
        |pg_logical_.*|pg_create_(physical|logical)_.*|pg_backup_start_time|pg_log_standby_snapshot'''),
    ('OTHERS', r'''pg_cancel_backend|pg_terminate_backend|pg_reload_conf|pg_rotate_logfile.*|pg_promote
        |pg_wal_replay_(pause|resume)|pg_stat_reset.*|pg_log_backend_memory_contexts|pg_drop_replication_slot
        |pg_copy_(physical|logical)_replication_slot|pg_replication_slot_advance|pg_sync_replication_slots
        |pg_replication_origin_(advance|create|drop)|pg_get_process_memory_contexts'''),
    ('SERVER', r'''pg_stat_get_.*|pg_stat_have_stats|pg_control_.*|pg_last_(wal|xact|committed)_.*
        |pg_is_wal_replay_paused|pg_get_wal_replay_pause_state|pg_lock_status|pg_cursor|pg_prepared_statement
        |pg_prepared_xact|pg_listening_channels|pg_blocking_pids|pg_safe_snapshot_blocking_pids
        |pg_isolation_test_session_is_blocked|pg_notification_queue_usage|pg_conf_load_time
        |pg_postmaster_start_time|pg_show_.*|pg_hba_file_rules|pg_ident_file_mappings|pg_current_logfile
        |pg_get_(loaded_modules|wait_events|shmem_allocations.*|backend_memory_contexts|replication_slots|wal_.*)|pg_sequence_last_value
        |pg_replication_origin_progress|pg_get_aios|pg_get_dsm_registry.*|pg_wal_summary_.*
        |pg_available_wal_summaries|pg_get_sequence_data|pg_get_multixact_members|pg_xact_commit_timestamp.*'''),
]

# Volatile, and yet the same everywhere or meant not to be.
HARMLESS = set('''
clock_timestamp timeofday random gen_random_uuid current_query pg_sleep pg_sleep_for pg_sleep_until lo_get
pg_is_in_recovery pg_collation_actual_version pg_database_collation_actual_version pg_database_size
pg_indexes_size pg_relation_size pg_table_size pg_total_relation_size pg_tablespace_size pg_partition_ancestors
pg_partition_tree pg_jit_available random_normal array_sample array_shuffle uuidv4 uuidv7 timezone
'''.split())

# What their argument names decides what else runs: input functions of other types, domain checks, validators.
LEFT_OUT = re.compile(r'(array|record|domain|range|multirange|enum|any.*|trigger|pg_ddl_command)_(in|recv)'
                      r'|.*_(validator|call_handler)|pg_event_trigger_.*|brin_.*|pg_mcv_.*|binary_upgrade_.*')

# Of versions to come: unreserved key words, views of one server's own state.
COMING_KEYWORDS = 'lsn split ties wait'.split()
COMING_VIEWS = 'pg_dsm_registry_allocations'.split()

# Written as key words or in two words: types too.
TYPE_WORDS = '''bigint bit boolean char character dec decimal double float int integer interval json national nchar
numeric real smallint time timestamp varchar'''.split()

# Words that are no key words of PostgreSQL's but that rules ask for by name.
SPECIAL = 'pg_catalog last_value'.split()

SERVER_VIEW = re.compile(r'''pg_stat(io)?_\w+|pg_settings|pg_file_settings
    |pg_hba_file_rules|pg_ident_file_mappings|pg_shmem_allocations\w*|pg_backend_memory_contexts|pg_locks|pg_cursors
    |pg_aios
    |pg_replication_origin_status|pg_sequences|pg_prepared_xacts|pg_prepared_statements|pg_replication_slots''',
                         re.X)

FUNCTIONS = '''select proname, bool_or(provolatile = 'v') from pg_catalog.pg_proc
    where pronamespace = 'pg_catalog'::regnamespace group by 1
    having not bool_and('internal'::regtype = any(proargtypes) or prorettype in ('internal'::regtype,
    'trigger'::regtype, 'event_trigger'::regtype, 'language_handler'::regtype, 'index_am_handler'::regtype,
    'tsm_handler'::regtype, 'table_am_handler'::regtype, 'fdw_handler'::regtype)) order by 1'''
TYPES = '''select typname from pg_catalog.pg_type where typnamespace = 'pg_catalog'::regnamespace
    and typtype in ('b', 'r', 'm') and typrelid = 0 and typname !~ '^_' or typname = 'record' order by 1'''
VIEWS = '''select relname from pg_catalog.pg_class where relnamespace = 'pg_catalog'::regnamespace
    and relkind = 'v' order by 1'''
OPERATORS = 'select distinct oprname from pg_catalog.pg_operator'
KEYWORDS = 'select word, catcode from pg_catalog.pg_get_keywords()'

CATEGORIES = {'U': 'UNRESERVED', 'C': 'COLUMN', 'T': 'FUNCTION', 'R': 'RESERVED'}
SLOT_BITS = 14


def query(conninfo, sql):
    out = subprocess.run(['psql', '-X', '-At', '-F', '\t', '-d', conninfo, '-c', sql], check=True,
                         stdout=subprocess.PIPE, universal_newlines=True).stdout
    return [line.split('\t') for line in out.splitlines()]


def key_of(name):
    """Its first sixteen bytes, as key.h reads them."""
    data = bytes(b | 0x20 for b in name.encode())[:16].ljust(16, b'\0')
    return int.from_bytes(data[:8], 'little'), int.from_bytes(data[8:], 'little')


def hash_name(name):
    """pqr__key_hash, as many of its upper bits as there are slots for."""
    first, second = key_of(name)
    mixed = (first ^ (second * 3 + len(name)) & (2**64 - 1)) * 0x9E3779B97F4A7C15 & (2**64 - 1)
    return mixed >> (64 - SLOT_BITS)


def spelling_of(operator):
    """Its bytes as one number."""
    assert len(operator) <= 4
    return int.from_bytes(operator.encode(), 'little')


def hash_operator(spelling):
    """As in builtins.h."""
    return (spelling * 0x9E3779B1 & (2**32 - 1)) >> 16


def judge(name, volatile):
    for verdict, pattern in JUDGED:
        if re.fullmatch(re.sub(r'\s', '', pattern), name):
            return verdict
    if LEFT_OUT.fullmatch(name):
        return None
    return 'WRITE' if volatile and name not in HARMLESS else 'HARMLESS'


def functions_of(servers):
    """Of each name its verdict, and whether one of the servers lacks it."""
    volatile, lacking = {}, set()
    listed = [dict(query(server, FUNCTIONS)) for server in servers]
    for names in listed:
        for name, letter in names.items():
            volatile[name] = volatile.get(name, False) or letter == 't'
    for names in listed:
        lacking |= set(volatile) - set(names)
    return {name: (judge(name, volatile[name]), name in lacking) for name in volatile}


def all_of(servers, sql):
    return {row[0] for server in servers for row in query(server, sql)}


def same_of(servers, sql):
    """What may not differ: nothing marks it as newer."""
    first, *others = (all_of([server], sql) for server in servers)
    assert all(other == first for other in others), [other ^ first for other in others]
    return first


def keywords_of(servers):
    """Of each key word its category, and whether one of the servers lacks it: there it is a name, so never reserved."""
    listed = [dict(query(server, KEYWORDS)) for server in servers]
    words = {word: ('U', True) for word in COMING_KEYWORDS}
    for word in {word for words in listed for word in words}:
        lacking = any(word not in words for words in listed)
        category = min((words[word] for words in listed if word in words), key='CUTR'.index)
        words[word] = ('U' if lacking and category in 'TR' else category, lacking)
    return words


def collect(servers):
    words = {}

    def word(name):
        return words.setdefault(name, {'keyword': 'NONE', 'category': 'NONE', 'function': 'UNKNOWN', 'flags': set()})

    for name, (verdict, lacking) in functions_of(servers).items():
        if verdict:
            word(name)['function'] = verdict
        if verdict == 'HARMLESS' and lacking:
            word(name)['flags'].add('NEWER')
    named = set(re.findall(r'PQR__KW_(\w+)', open(os.path.join(HERE, 'builtins.h')).read())) - {'NONE', 'OTHER'}
    for name, (category, lacking) in keywords_of(servers).items():
        word(name)['category'] = CATEGORIES[category]
        word(name)['keyword'] = name.upper() if name.upper() in named else 'OTHER'
        if category == 'C' and lacking:
            word(name)['flags'].add('NEWER')
    for name in SPECIAL:
        word(name)['keyword'] = name.upper()
    for name in same_of(servers, TYPES) | set(TYPE_WORDS):
        word(name)['flags'].add('TYPE')
    for name in COMING_VIEWS + list(filter(SERVER_VIEW.fullmatch, all_of(servers, VIEWS))):
        word(name)['flags'].add('SERVER')
    missing = named - {w['keyword'] for w in words.values()}
    assert not missing, missing
    assert all(2 <= len(name) <= 63 and re.fullmatch('[a-z0-9_]+', name) for name in words)
    # The classifier looks closer at names that begin so.
    assert all(name.startswith('pg_') for name in words if 'SERVER' in words[name]['flags'])
    return words


def ends_operand(word):
    """A word of this kind surely ends an operand: a name after it can only be an alias or a key word."""
    return word['category'] == 'NONE' or word['keyword'] in ('NULL', 'TRUE', 'FALSE', 'END')


def spread(values, hashes, size):
    """Open addressing; who comes first is found at once."""
    slots = [0] * size
    for value, at in zip(values, hashes):
        while slots[at % size]:
            at += 1
        slots[at % size] = value
    return slots


def print_slots(head, slots, form):
    print(head % len(slots) + ' = {')
    for i in range(0, len(slots), 16):
        print('    ' + ', '.join(form % slot for slot in slots[i:i + 16]) + ',')
    print('};')


def main():
    servers = sys.argv[1:]
    words = collect(servers)
    operators = [spelling_of(name) for name in {'!='} | same_of(servers, OPERATORS)]  # != is read as <>
    names = sorted(words)
    versions = sorted(query(server, 'show server_version_num')[0][0] for server in servers)
    print('/* Generated by tests/support/builtins from PostgreSQL servers %s; do not edit. */' % ', '.join(versions))
    print('const struct pqr__word pqr__words[] = {')
    for name in names:
        w = words[name]
        flags = ' | '.join('PQR__WORD_' + f for f in sorted(w['flags'])) or '0'
        print('    {0x%xu, 0x%xu, "%s", %d, PQR__FUNCTION_%s, PQR__KW_%s, PQR__CATEGORY_%s, %s, %s},' %
              (*key_of(name), name, len(name), w['function'], w['keyword'], w['category'],
               'true' if ends_operand(w) else 'false', flags))
    print('};')
    usual = sorted(range(len(names)), key=lambda i: words[names[i]]['keyword'] == 'NONE')  # key words come first
    print_slots('const uint16_t pqr__word_slots[%d]',
                spread([i + 1 for i in usual], [hash_name(names[i]) for i in usual], 1 << SLOT_BITS), '%d')
    operators = sorted(set(operators))
    print_slots('const uint32_t pqr__operator_slots[%d]', spread(operators, map(hash_operator, operators), 256), '0x%xu')


if __name__ == '__main__':
    main()
