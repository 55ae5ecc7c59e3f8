CREATE TABLE {context}_interventions (
    number         INTEGER PRIMARY KEY,
    id             TEXT NOT NULL,
    time           TEXT NOT NULL,
    actor          TEXT NOT NULL,
    action         TEXT NOT NULL,
    subject        TEXT NOT NULL,
    resource       TEXT,
    position       INTEGER NOT NULL,
    result         TEXT NOT NULL,
    detail         TEXT,
    reason         TEXT,
    correlation_id TEXT NOT NULL,
    causation_id   TEXT
)
---
CREATE TABLE {context}_parked (
    reader    TEXT NOT NULL,
    position  INTEGER NOT NULL,
    key       TEXT NOT NULL,
    stream    TEXT NOT NULL,
    version   INTEGER NOT NULL,
    topic     TEXT NOT NULL,
    error     TEXT, -- none for a fact that only stands behind another one
    trace     TEXT,
    tries     INTEGER NOT NULL,
    parked_at TEXT NOT NULL,
    PRIMARY KEY (reader, position)
) WITHOUT ROWID
---
CREATE INDEX {context}_parked_key ON {context}_parked (reader, key, position)
---
-- Counts how often parked facts were let go: a worker that has not seen it moves nothing.
ALTER TABLE {context}_readers ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0
---
-- Until when another worker leaves a due deadline to the one that has claimed it.
ALTER TABLE {context}_deadlines ADD COLUMN claimed_until TEXT
