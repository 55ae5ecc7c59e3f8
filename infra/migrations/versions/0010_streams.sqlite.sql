-- A constraint cannot be dropped; the table is made anew without it.
ALTER TABLE {context}_events RENAME TO {context}_events_before
---
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
    CHECK (typeof(data) = 'blob' OR json_valid(data))
)
---
INSERT INTO {context}_events SELECT * FROM {context}_events_before ORDER BY position
---
DROP TABLE {context}_events_before
---
CREATE TABLE {context}_streams (
    stream   TEXT NOT NULL,
    version  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (stream, version)
) WITHOUT ROWID
---
-- Up to which position facts are in the table of streams.
ALTER TABLE {context}_head ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0
---
CREATE TRIGGER {context}_indexing AFTER UPDATE OF indexed ON {context}_head BEGIN
    INSERT INTO {context}_streams SELECT stream, version, position FROM {context}_events
     WHERE position > OLD.indexed AND position <= NEW.indexed ORDER BY stream, version;
END
---
UPDATE {context}_head SET indexed = position
---
-- Where the facts of a stream are: those that are indexed, and those behind them in the log.
CREATE VIEW {context}_places AS
SELECT stream, version, position FROM {context}_streams
 UNION ALL
SELECT stream, version, position FROM {context}_events
 WHERE position > (SELECT indexed FROM {context}_head)
