CREATE TABLE {context}_events (
    position       INTEGER PRIMARY KEY,
    stream         TEXT NOT NULL,
    version        INTEGER NOT NULL,
    topic          TEXT NOT NULL,
    data           NOT NULL, -- JSON text; a BLOB when enciphered
    time           TEXT NOT NULL,
    actor          TEXT NOT NULL,
    command_id     TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    causation_id   TEXT,
    traceparent    TEXT,
    UNIQUE (stream, version),
    CHECK (typeof(data) = 'blob' OR json_valid(data))
)
---
CREATE TABLE {context}_receipts (
    number         INTEGER PRIMARY KEY,
    actor          TEXT NOT NULL,
    command        TEXT NOT NULL,
    key            TEXT NOT NULL,
    command_id     TEXT NOT NULL,
    fingerprint    TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    causation_id   TEXT,
    address        TEXT,
    agent          TEXT,
    reason         TEXT,
    stream         TEXT,
    version        INTEGER NOT NULL,
    position       INTEGER NOT NULL,
    facts          INTEGER NOT NULL,
    time           TEXT NOT NULL,
    refusal_code   TEXT,
    refusal_detail TEXT,
    refusal_type   TEXT,
    UNIQUE (actor, command, key)
)
---
CREATE TABLE {context}_head (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    position INTEGER NOT NULL,
    time     TEXT NOT NULL
)
---
INSERT INTO {context}_head VALUES (1, 0, '0001-01-01T00:00:00.000000+00:00')
---
CREATE TABLE {context}_readers (
    name     TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) WITHOUT ROWID
---
CREATE TABLE {context}_deadlines (
    saga           TEXT NOT NULL,
    process        TEXT NOT NULL,
    name           TEXT NOT NULL,
    due            TEXT NOT NULL,
    command        TEXT NOT NULL,
    data           TEXT NOT NULL,
    key            TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    causation_id   TEXT NOT NULL,
    PRIMARY KEY (saga, process, name)
) WITHOUT ROWID
---
CREATE INDEX {context}_deadlines_due ON {context}_deadlines (due)
---
CREATE TABLE {context}_snapshots (
    stream  TEXT NOT NULL,
    version INTEGER NOT NULL,
    topic   TEXT NOT NULL,
    data    NOT NULL,
    PRIMARY KEY (stream, version)
) WITHOUT ROWID
