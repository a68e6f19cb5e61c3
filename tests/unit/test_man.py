"""The manual pages lose nothing of what `pqrouter [COMMAND] --help` says.

    test_man.py PQROUTER MAN.PY"""

import re
import subprocess
import sys
import unittest

COMMAND, MAKER = sys.argv[1:3]
del sys.argv[1:3]


def words_of(page):
    """Without roff's requests and escapes."""
    lines = []
    for line in page.split("\n"):
        if line.startswith(".TH"):
            continue
        line = re.sub(r"^\.(SH|B) ", "", line)
        if not re.match(r"\.(PP|TP|nf|fi)$", line):
            lines.append(re.sub(r"\\(.)", lambda found: {"e": "\\", "&": ""}.get(found[1], found[1]), line))
    return " ".join(lines).split()


class Man(unittest.TestCase):
    def test_says_what_help_says(self):
        for command in ("", "check", "classify", "exec"):
            words = [command] if command else []
            shown = subprocess.run([COMMAND, *words, "--help"], check=True, capture_output=True, text=True).stdout
            page = subprocess.run([sys.executable, MAKER, "1.2.3", COMMAND, *words], check=True, capture_output=True,
                                  text=True).stdout
            name = "-".join(["pqrouter", *words])
            self.assertTrue(page.startswith(f'.TH {name.upper()} 1 "" "pqrouter 1.2.3"'), page[:80])
            self.assertEqual(words_of(page), shown.replace(f"pqrouter {command} - ", f"{name} - ", 1).split())
            unknown = [line for line in page.split("\n") if re.match(r"[.'](?!(TH|SH|PP|TP|B|nf|fi)\b)", line)]
            self.assertEqual(unknown, [])


unittest.main(verbosity=2)
