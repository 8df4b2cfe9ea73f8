"""Run a program that sees nothing of the person's, and take what it writes."""

import sys

import ambit

client = ambit.dial_env()
try:
    session = client.start(ambit.Command(argv=["sh", "-c", "wc -w; exit 3"], stdin=b"four words of text"))
    code = session.wait(sys.stdout.buffer, sys.stderr.buffer)
    print("exit", code)
except ambit.Failure as e:
    print(e, file=sys.stderr)
    for denial in e.denials:
        print(denial.id, denial.capability, "; ".join(r.text for r in denial.reasons), file=sys.stderr)
    sys.exit(1)
