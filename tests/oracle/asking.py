"""What the trials share: their command lines, and the command pqrouter classify."""
import argparse
import subprocess
import sys


def options(description, count, print_missed=None):
    """PQROUTER SOURCE_ROOT [--count] [--seed] [--print-missed], read."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('command', help='pqrouter')
    parser.add_argument('root', help='of the source')
    parser.add_argument('--count', type=int, default=count, help='statements of each kind')
    parser.add_argument('--seed', type=int, default=1)
    if print_missed is not None:
        parser.add_argument('--print-missed', type=int, default=print_missed,
                            help='reasons for which harmless ones were kept from replicas')
    return parser.parse_args()


def classify(command, statements, conninfo=None, *more):
    """[route, reason] of each, by the text alone or by a database's catalog, too."""
    asked = [command, 'classify'] + (['--conninfo', conninfo, *more] if conninfo else [])
    texts = [s if isinstance(s, bytes) else s.encode() for s in statements]
    done = subprocess.run(asked, input=b''.join(text + b'\0' for text in texts), stdout=subprocess.PIPE, check=False)
    answers = [line.split(' ', 1) for line in done.stdout.decode('utf-8', 'replace').split('\n')[:-1]]
    if done.returncode or len(answers) != len(texts):
        sys.exit('pqrouter classify ended with %d' % done.returncode)
    return answers
