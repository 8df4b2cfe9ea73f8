"""Answer what a running program asks for: its call waits meanwhile, and goes on."""

import sys

import ambit

file = sys.argv[1] if len(sys.argv) > 1 else "/etc/hostname"  # what it is to read
client = ambit.dial_env()
session = client.start(ambit.Command(argv=["cat", file], dir="/", ask=True, ask_by="notification"))
for asks in client.waiting():
    if asks.question.session != session.id:
        continue
    print("it asks for the file:", asks.question.capability == f"fs.read:{file}", flush=True)
    asks.allow()
    break
code = session.wait(sys.stdout.buffer)
print("exit", code)
