"""`sttd notify`: tells people and programs what happens, in a process of its own that reads the ledger and never writes it.

look: what has happened since the last look, of the jobs by `changes` and of the daemon by `spans`. record: the notifier's own
file, which notices there are and whom each was told to. sender: a thread for each receiver, which tells it by `webhook`,
`command` or `apprised`, again after growing waits. service: the loop. trial: a sample. told: what `sttd show` reads.
"""
