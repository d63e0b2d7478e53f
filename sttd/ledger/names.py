"""What lies in the state folder."""

LEDGER = "ledger.db"
LOCK = "lock"  # held by the daemon
MANIFEST = "manifest.jsonl"
WORK = "work"  # a folder of checkpoints, one folder a job
SPOOL = "requests"  # a folder of what people ask for, one file a request
REFUSED = "refused"  # a folder of copies of what lay there and was no request
REFUSED = "refused"  # a folder of copies of what lay there and was no request
