"""What looks after a running system: watches over invariants, audits for drift."""
