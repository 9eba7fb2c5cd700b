"""The ledger of claims: each checkable number and sentence of the paper, and what decides it."""
