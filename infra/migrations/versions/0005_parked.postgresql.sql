CREATE TABLE {context}.interventions (
    number         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id             uuid NOT NULL,
    time           timestamptz NOT NULL,
    actor          text NOT NULL,
    action         text NOT NULL,
    subject        text NOT NULL,
    resource       uuid,
    position       bigint NOT NULL,
    result         text NOT NULL,
    detail         text,
    reason         text,
    correlation_id uuid NOT NULL,
    causation_id   uuid
)
---
CREATE TABLE {context}.parked (
    reader    text NOT NULL,
    position  bigint NOT NULL,
    key       text NOT NULL,
    stream    uuid NOT NULL,
    version   bigint NOT NULL,
    topic     text NOT NULL,
    error     text, -- none for a fact that only stands behind another one
    trace     text,
    tries     bigint NOT NULL,
    parked_at timestamptz NOT NULL,
    PRIMARY KEY (reader, position)
)
---
CREATE INDEX parked_key ON {context}.parked (reader, key, position)
---
-- Counts how often parked facts were let go: a worker that has not seen it moves nothing.
ALTER TABLE {context}.readers ADD COLUMN epoch bigint NOT NULL DEFAULT 0
---
-- Until when another worker leaves a due deadline to the one that has claimed it.
ALTER TABLE {context}.deadlines ADD COLUMN claimed_until timestamptz
