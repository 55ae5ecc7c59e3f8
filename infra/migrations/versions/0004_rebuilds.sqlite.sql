CREATE TABLE {context}_rebuilds (
    projection TEXT PRIMARY KEY,
    token      TEXT NOT NULL, -- whose it is: another rebuild of the projection takes it over
    version    TEXT NOT NULL, -- of the code that fills the shadow tables
    position   INTEGER NOT NULL,
    target     INTEGER NOT NULL, -- where the live tables were when it last looked
    touched    INTEGER NOT NULL  -- Unix time in ms of its last sign of life
)
---
CREATE TABLE {context}_versions (
    projection        TEXT PRIMARY KEY,
    version           TEXT NOT NULL, -- of the code that filled the live tables
    layout            TEXT NOT NULL, -- digest of their columns and keys
    tables            TEXT NOT NULL, -- their names, with commas
    previous_version  TEXT,          -- the same of the tables that were live before; NULL without
    previous_layout   TEXT,
    previous_tables   TEXT,
    previous_position INTEGER
)
