CREATE TABLE {context}.rebuilds (
    projection text PRIMARY KEY,
    token      text NOT NULL, -- whose it is: another rebuild of the projection takes it over
    version    text NOT NULL, -- of the code that fills the shadow tables
    position   bigint NOT NULL,
    target     bigint NOT NULL, -- where the live tables were when it last looked
    touched    bigint NOT NULL  -- Unix time in ms of its last sign of life
)
---
CREATE TABLE {context}.versions (
    projection        text PRIMARY KEY,
    version           text NOT NULL, -- of the code that filled the live tables
    layout            text NOT NULL, -- digest of their columns and keys
    tables            text NOT NULL, -- their names, with commas
    previous_version  text,          -- the same of the tables that were live before; NULL without
    previous_layout   text,
    previous_tables   text,
    previous_position bigint
)
