"""`sttd web`: a page, an API and metrics over the ledger, in a process of their own. Needs the extra `sttd[web]`.

It reads the ledger as any command does, and asks the daemon for work as a person does: by files in the inbox and by requests.
"""
