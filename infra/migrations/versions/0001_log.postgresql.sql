CREATE TABLE {context}.events (
    position       bigint PRIMARY KEY,
    stream         uuid NOT NULL,
    version        bigint NOT NULL,
    topic          text NOT NULL,
    data           json,  -- keeps the bytes as written and stays readable
    sealed         bytea, -- instead of data, when enciphered
    time           timestamptz NOT NULL,
    actor          text NOT NULL,
    command_id     uuid NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id   uuid,
    traceparent    text,
    UNIQUE (stream, version),
    CHECK ((data IS NULL) <> (sealed IS NULL))
)
---
CREATE TABLE {context}.receipts (
    number         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    actor          text NOT NULL,
    command        text NOT NULL,
    key            text NOT NULL,
    command_id     uuid NOT NULL,
    fingerprint    text NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id   uuid,
    address        text,
    agent          text,
    reason         text,
    stream         uuid,
    version        bigint NOT NULL,
    position       bigint NOT NULL,
    facts          integer NOT NULL,
    time           timestamptz NOT NULL,
    refusal_code   text,
    refusal_detail text,
    refusal_type   text,
    UNIQUE (actor, command, key)
)
---
CREATE TABLE {context}.head (
    id       smallint PRIMARY KEY CHECK (id = 1),
    position bigint NOT NULL,
    time     timestamptz NOT NULL
)
---
INSERT INTO {context}.head VALUES (1, 0, '-infinity')
---
CREATE TABLE {context}.readers (
    name     text PRIMARY KEY,
    position bigint NOT NULL
)
---
CREATE TABLE {context}.deadlines (
    saga           text NOT NULL,
    process        uuid NOT NULL,
    name           text NOT NULL,
    due            timestamptz NOT NULL,
    command        text NOT NULL,
    data           text NOT NULL,
    key            text NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id   uuid NOT NULL,
    PRIMARY KEY (saga, process, name)
)
---
CREATE INDEX deadlines_due ON {context}.deadlines (due)
---
CREATE TABLE {context}.snapshots (
    stream  uuid NOT NULL,
    version bigint NOT NULL,
    topic   text NOT NULL,
    data    json,
    sealed  bytea,
    PRIMARY KEY (stream, version)
)
---
-- Appends a whole batch, or nothing. Arrays of one group have one length: r_ is a receipt for each
-- append; c_ the streams to check, with the append (1, 2, …) that asks; k_ the readers' positions
-- that move with it; e_ the facts, in order. Rows returned: ('repeated', append), ('stale', check)
-- and ('overtaken', append) when nothing was written, else one ('accepted', base position, time).
CREATE FUNCTION {context}.append(
    r_actor text[], r_command text[], r_key text[], r_command_id uuid[], r_fingerprint text[],
    r_correlation_id uuid[], r_causation_id uuid[], r_traceparent text[], r_address text[],
    r_agent text[], r_reason text[], r_stream uuid[], r_version bigint[], r_last bigint[],
    r_facts integer[], r_code text[], r_detail text[], r_type text[],
    c_stream uuid[], c_expected bigint[],
    k_append integer[], k_name text[], k_position bigint[],
    e_append integer[], e_stream uuid[], e_version bigint[], e_topic text[], e_data text[],
    e_sealed bytea[]
) RETURNS TABLE (outcome text, number bigint, moment timestamptz) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    base bigint;
    now_ timestamptz;
    failed boolean;
BEGIN
    SELECT h.position, greatest(h.time, clock_timestamp()) INTO base, now_
      FROM {context}.head h WHERE h.id = 1 FOR UPDATE;

    RETURN QUERY
    SELECT 'repeated', r.n, NULL::timestamptz
      FROM unnest(r_actor, r_command, r_key) WITH ORDINALITY AS r (a, c, k, n)
     WHERE EXISTS (SELECT FROM {context}.receipts x
                    WHERE x.actor = r.a AND x.command = r.c AND x.key = r.k);
    failed := FOUND;
    RETURN QUERY
    SELECT 'stale', c.n, NULL::timestamptz
      FROM unnest(c_stream, c_expected) WITH ORDINALITY AS c (s, v, n)
     WHERE c.v <> coalesce((SELECT e.version FROM {context}.events e WHERE e.stream = c.s
                             ORDER BY e.version DESC LIMIT 1), 0);
    failed := failed OR FOUND;
    RETURN QUERY
    SELECT 'overtaken', k.n::bigint, NULL::timestamptz
      FROM unnest(k_append, k_name, k_position) AS k (n, r, p)
     WHERE EXISTS (SELECT FROM {context}.readers x WHERE x.name = k.r AND x.position >= k.p);
    IF failed OR FOUND THEN
        RETURN;
    END IF;

    INSERT INTO {context}.events
    SELECT base + e.n, e.s, e.v, e.t, e.d::json, e.b, now_, r.actor, r.command_id,
           r.correlation_id, r.causation_id, r.traceparent
      FROM unnest(e_append, e_stream, e_version, e_topic, e_data, e_sealed) WITH ORDINALITY
           AS e (a, s, v, t, d, b, n)
      JOIN unnest(r_actor, r_command_id, r_correlation_id, r_causation_id, r_traceparent)
           WITH ORDINALITY AS r (actor, command_id, correlation_id, causation_id, traceparent, n)
        ON r.n = e.a;
    INSERT INTO {context}.receipts (actor, command, key, command_id, fingerprint, correlation_id,
        causation_id, address, agent, reason, stream, version, position, facts, time,
        refusal_code, refusal_detail, refusal_type)
    SELECT r.actor, r.command, r.key, r.command_id, r.fingerprint, r.correlation_id,
           r.causation_id, r.address, r.agent, r.reason, r.stream, r.version, base + r.last,
           r.facts, now_, r.code, r.detail, r.type
      FROM unnest(r_actor, r_command, r_key, r_command_id, r_fingerprint, r_correlation_id,
                  r_causation_id, r_address, r_agent, r_reason, r_stream, r_version, r_last,
                  r_facts, r_code, r_detail, r_type)
           AS r (actor, command, key, command_id, fingerprint, correlation_id, causation_id,
                 address, agent, reason, stream, version, last, facts, code, detail, type);
    INSERT INTO {context}.readers
    SELECT k.r, max(k.p) FROM unnest(k_name, k_position) AS k (r, p) GROUP BY k.r
        ON CONFLICT (name) DO UPDATE SET position = excluded.position;
    UPDATE {context}.head SET position = base + cardinality(e_append), time = now_ WHERE id = 1;
    IF cardinality(e_append) > 0 THEN
        PERFORM pg_notify('aorist_{context}', (base + cardinality(e_append))::text);
    END IF;
    RETURN QUERY SELECT 'accepted', base, now_;
END
$$
