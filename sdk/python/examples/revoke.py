"""List what stands, and take it back."""

import sys

import ambit

file = sys.argv[1] if len(sys.argv) > 1 else "/etc/hostname"  # what was granted
client = ambit.dial_env()
client.grant([f"fs.read:{file}"])
ids = []
for grant in client.standing():
    if grant.capability == f"fs.read:{file}":
        print("granted:", grant.verdict.value)
        ids.append(grant.id)
lost = client.revoke(ids)
print(f"{len(ids)} revoked, {len(lost)} sessions lost something")
