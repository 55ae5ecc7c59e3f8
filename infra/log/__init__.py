"""The append-only log: its port, its two stores, and what runs on top of them."""
