"""The log of outcomes beside the ledger, and the ledger made anew from it."""
