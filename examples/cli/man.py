#!/usr/bin/env python3
"""Makes a manual page of what `pqrouter [COMMAND] --help` prints.

usage: man.py VERSION PQROUTER [COMMAND]

The help's sections stand at the left, their text is indented by four. Paragraphs are filled by man; what is indented
deeper below a line belongs to it, as an option's text does; tables, the synopsis and examples stay as they are.
"""
import re
import subprocess
import sys


def escaped(text):
    text = text.replace('\\', '\\e').replace('-', '\\-')
    return '\\&' + text if text[:1] in ('.', "'") else text


def is_table(lines):
    return any(re.search(r'\S {2,}\S', line) for line in lines)


def text_or_table(lines):
    lines = [line[min(len(line) - len(line.lstrip()) for line in lines):] for line in lines]
    lines = [escaped(line) for line in lines]
    return ['.nf', *lines, '.fi'] if is_table(lines) else lines


def items(lines):
    """Tags, and what is indented below each."""
    out = []
    for item in re.split(r'\n(?! )', '\n'.join(lines)):
        tag, *text = item.split('\n')
        out += ['.TP', f'.B {escaped(tag)}', *text_or_table(text)]
    return out


def section(title, body):
    out = [f'.SH {title}']
    if title in ('SYNOPSIS', 'EXAMPLES'):
        return out + ['.nf', *map(escaped, body.split('\n')), '.fi']
    for block in body.split('\n\n'):
        lines = block.split('\n')
        tagged = any(line.startswith(' ') for line in lines) and not is_table(
            [line for line in lines if not line.startswith(' ')])
        out += items(lines) if tagged else ['.PP', *text_or_table(lines)]
    return out


def page(name, version, text):
    out = [f'.TH {name.upper()} 1 "" "pqrouter {version}" "User Commands"']
    for part in re.split(r'\n(?=[A-Z])', text.rstrip('\n')):
        title, _, body = part.partition('\n')
        body = re.sub(r'^ {4}', '', body, flags=re.M).strip('\n')
        if title == 'NAME':
            out += ['.SH NAME', f'{name} \\- {body.partition(" - ")[2]}']
        else:
            out += section(title, body)
    return '\n'.join(out) + '\n'


version, program, *command = sys.argv[1:]
shown = subprocess.run([program, *command, '--help'], check=True, capture_output=True, text=True).stdout
sys.stdout.write(page('-'.join(['pqrouter', *command]), version, shown))
