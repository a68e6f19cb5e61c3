"""PostgreSQL's own regression suite: src/test/regress of the source of the server at hand. Debian ships it in no
package, so the source package is taken, by apt-get and with a list of sources that this run alone knows; a folder that
is there already may be given instead. Its C functions are compiled when a compiler and the server's headers can be had;
without them some ten statements of 20,000 fail."""
import glob
import os
import re
import shutil
import subprocess
import sys

SOURCES = glob.glob('/etc/apt/sources.list') + glob.glob('/etc/apt/sources.list.d/*')
NOT_RUN = {'infinite_recurse',  # needs the limit on the stack that pg_regress sets
           'tablespace', 'database'}  # of the whole server, and no reads in them


def source_lists(folder):
    """The machine's own lists, for sources."""
    os.makedirs(folder + '/lists/partial', exist_ok=True)
    os.makedirs(folder + '/parts', exist_ok=True)
    for path in SOURCES:
        with open(path, encoding='utf-8', errors='replace') as file:
            text = file.read()
        text = re.sub(r'^Types:.*', 'Types: deb-src', re.sub(r'^deb ', 'deb-src ', text, flags=re.M), flags=re.M)
        with open('%s/parts/%s' % (folder, os.path.basename(path)), 'w', encoding='utf-8') as file:
            file.write(text)
    return ['-o', 'Dir::Etc::sourcelist=/dev/null', '-o', 'Dir::Etc::sourceparts=%s/parts' % folder,
            '-o', 'Dir::State::lists=%s/lists' % folder, '-o', 'APT::Sandbox::User=']


def quiet(command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more)
    return done.returncode == 0, done.stdout


def download(major, folder):
    """The archive of the newest version that can be had."""
    options, package = source_lists(folder + '/apt'), 'postgresql-%d' % major
    quiet(['apt-get', *options, 'update', '-q'])
    _, text = quiet(['apt-cache', *options, 'showsrc', package])
    versions = re.findall(r'^Version: (\S+)', text, re.M)
    for version in sorted(versions, key=lambda v: [int(n) for n in re.findall(r'\d+', v)], reverse=True):
        quiet(['apt-get', *options, 'source', '--download-only', '-q', '%s=%s' % (package, version)], cwd=folder)
        for archive in glob.glob(folder + '/postgresql-*.orig.tar.*'):
            return archive
    sys.exit('no source package of PostgreSQL %d can be had; --suite names a folder src/test/regress' % major)


def fetched(major, cache):
    """src/test/regress, kept in a folder for the next time."""
    folder = os.path.join(cache, 'regress-%d' % major)
    found = glob.glob(folder + '/*/src/test/regress/sql')
    if not found:
        os.makedirs(folder, exist_ok=True)
        print('fetching the source of PostgreSQL %d' % major, file=sys.stderr)
        archive = download(major, folder)
        subprocess.run(['tar', 'xf', archive, '--no-same-owner', '-C', folder, '--wildcards', '*/src/test/regress/*'], check=True)
        found = glob.glob(folder + '/*/src/test/regress/sql')
    return os.path.dirname(found[0])


def headers(major, cache):
    """The server's, from their package, which need not be installed: it would bring a compiler of its own."""
    installed, folder = '/usr/include/postgresql/%d/server' % major, os.path.join(cache, 'headers-%d' % major)
    if os.path.isdir(installed):
        return installed
    if not os.path.isdir(folder):
        os.makedirs(folder)
        quiet(['apt-get', 'download', '-q', 'postgresql-server-dev-%d' % major], cwd=folder)
        for package in glob.glob(folder + '/*.deb'):
            quiet(['dpkg', '-x', package, folder])
    return folder + installed


def compile_functions(source, major, cache, out):
    done, text = quiet(['cc', '-O1', '-fPIC', '-shared', '-w', '-I', headers(major, cache), '-I',
                        '/usr/include/postgresql', '-o', out + '/regress.so', source + '/regress.c'])
    if not done:
        print('without the functions in C: %s' % text.strip().splitlines()[-1:], file=sys.stderr)


def prepare(source, major, cache, folder, user):
    """What the files expect around them: PG_ABS_SRCDIR, PG_ABS_BUILDDIR, PG_LIBDIR."""
    shutil.copytree(source + '/data', folder + '/data')
    os.mkdir(folder + '/results')
    compile_functions(source, major, cache, folder)
    if os.geteuid() == 0:
        subprocess.run(['chown', '-R', user, folder], check=True)


def schedule(source):
    """The files in the order of PostgreSQL's own runs, one at a time."""
    with open(source + '/parallel_schedule', encoding='utf-8') as file:
        names = [name for line in re.findall(r'^test: (.*)', file.read(), re.M) for name in line.split()]
    return [name for name in names if name not in NOT_RUN and os.path.exists('%s/sql/%s.sql' % (source, name))]


def script(source, name):
    """Without what psql only describes: those queries are psql's, not the suite's."""
    with open('%s/sql/%s.sql' % (source, name), encoding='utf-8', errors='surrogateescape') as file:
        lines = file.read().split('\n')
    return '\n'.join(line for line in lines if not re.match(r'\\([dzl]|s[fv]|conninfo|crosstabview)', line))
