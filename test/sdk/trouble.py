"""What a program sees of a host that refuses it, ends, or does wrong.

It is the host that the environment names, or each that an argument names in place of it,
line by line.
"""

import dataclasses
import os
import sys
import threading

import ambit

what, places = sys.argv[1], sys.argv[2:]


def go(client):
    if what == "watch":
        for _ in client.questions.watch_questions():
            print("seen")
    elif what == "leave":
        watch = client.questions.watch_questions()
        for _ in watch:
            print("seen")
            threading.Timer(0.01, watch.close).start()  # while it waits for more
        print("left")
    elif what == "late":
        client.host.check_health(timeout=0.5)
    elif what == "denied":
        client.start(ambit.Command(argv=["true"], allow=[os.environ["CAPABILITY"]]))
    elif what == "checked":
        command = ambit.Command(argv=["echo", "looked at"], limits={"wall": "1m"}, ask=True, ask_by="notification")
        seen = client.check(command)
        print("starts", seen.starts, seen.limits["wall"], seen.asks)
        print("exit", client.start(dataclasses.replace(command, checked=seen.digest)).wait())
        print("starts", client.check(ambit.Command(argv=["true"], allow=[os.environ["CAPABILITY"]])).starts)
        client.start(dataclasses.replace(command, checked=seen.digest, argv=["echo", "another"]))


def told():
    try:
        go(ambit.dial_env())
        print("code none")
    except ambit.Failure as e:
        for d in e.denials:
            if d.reasons[0].text:
                print("denial", d.id, d.capability)
        print("code", e.code)
    except ValueError:
        print("code invalid")


if not places:
    told()
for place in places:
    for name in [name for name in os.environ if name.startswith("AMBIT_")]:
        del os.environ[name]
    os.environ.update(line.split("=", 1) for line in place.split("\n"))
    told()
