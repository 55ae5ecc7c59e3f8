CREATE TABLE {context}.watched (
    code  text NOT NULL, -- which version of the rules
    rule  text NOT NULL,
    key   text NOT NULL,
    value text NOT NULL, -- a number or a text, as JSON
    PRIMARY KEY (code, rule, key)
)
---
CREATE TABLE {context}.breaches (
    rule     text NOT NULL,
    position bigint NOT NULL,
    sentence text NOT NULL,
    PRIMARY KEY (rule, position)
)
