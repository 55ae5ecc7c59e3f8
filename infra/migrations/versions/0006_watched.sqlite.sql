CREATE TABLE {context}_watched (
    code  TEXT NOT NULL, -- which version of the rules
    rule  TEXT NOT NULL,
    key   TEXT NOT NULL,
    value TEXT NOT NULL, -- a number or a text, as JSON
    PRIMARY KEY (code, rule, key)
) WITHOUT ROWID
---
CREATE TABLE {context}_breaches (
    rule     TEXT NOT NULL,
    position INTEGER NOT NULL,
    sentence TEXT NOT NULL,
    PRIMARY KEY (rule, position)
) WITHOUT ROWID
