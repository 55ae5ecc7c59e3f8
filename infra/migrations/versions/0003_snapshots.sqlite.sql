-- A key cannot be changed; snapshots can be taken anew.
DROP TABLE {context}_snapshots
---
CREATE TABLE {context}_snapshots (
    stream  TEXT NOT NULL,
    topic   TEXT NOT NULL,
    version INTEGER NOT NULL,
    data    NOT NULL, -- JSON text; a BLOB when enciphered
    taken   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now')),
    PRIMARY KEY (stream, topic, version)
) WITHOUT ROWID
