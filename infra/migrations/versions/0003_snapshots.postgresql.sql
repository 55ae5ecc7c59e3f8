ALTER TABLE {context}.snapshots
    DROP CONSTRAINT snapshots_pkey,
    ADD PRIMARY KEY (stream, topic, version),
    ADD COLUMN taken timestamptz NOT NULL DEFAULT clock_timestamp()
