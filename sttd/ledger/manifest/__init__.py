"""The log of outcomes beside the ledger, and how the ledger is rebuilt from it."""
