"""`sttd notify`: tells people and programs what happens, in a process of its own that reads the ledger and never writes it.

look: finds what happened since the last look, to jobs (`changes`) and to the daemon (`spans`). record: the notifier's own file,
with the notices and their deliveries. sender: one thread a receiver, which delivers by `webhook`, `command` or `apprised`, and
retries after growing waits. service: the loop. trial: `sttd notify test`. told: the deliveries about one job, for `sttd show`.
"""
