DROP FUNCTION {context}.append(
    text[], text[], text[], uuid[], text[], uuid[], uuid[], text[], text[], text[], text[], uuid[],
    bigint[], bigint[], integer[], text[], text[], text[], uuid[], bigint[], integer[], text[],
    bigint[], integer[], uuid[], bigint[], text[], text[], bytea[]
)
---
-- Appends a whole batch, or nothing. Each parameter is a list of objects; `n` is 1, 2, … in it:
-- receipts, one for each append; checks of streams; moves of readers' positions, and facts, both
-- with the append that they belong to (`append`). Rows returned: ('repeated', append),
-- ('stale', check) and ('overtaken', append) when nothing was written, else one
-- ('accepted', base position, time).
CREATE FUNCTION {context}.append(receipts_ json, checks_ json, moves_ json, facts_ json)
RETURNS TABLE (outcome text, number bigint, moment timestamptz) LANGUAGE plpgsql
-- The tables are empty when these statements are planned first, and the plan is kept: without
-- this it would be to read whole tables, until something makes PostgreSQL plan again. For the same
-- reason what is looked up is a subquery for each row, never a join, which could be a scan too.
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    base bigint;
    now_ timestamptz;
    failed boolean;
    facts_count integer := json_array_length(facts_);
BEGIN
    SELECT h.position, greatest(h.time, clock_timestamp()) INTO base, now_
      FROM {context}.head h WHERE h.id = 1 FOR UPDATE;

    RETURN QUERY
    SELECT 'repeated', r.n, NULL::timestamptz
      FROM json_to_recordset(receipts_) AS r (n bigint, actor text, command text, key text)
     WHERE (SELECT true FROM {context}.receipts x
             WHERE x.actor = r.actor AND x.command = r.command AND x.key = r.key);
    failed := FOUND;
    RETURN QUERY
    SELECT 'stale', c.n, NULL::timestamptz
      FROM json_to_recordset(checks_) AS c (n bigint, stream uuid, expected bigint)
     WHERE c.expected <> coalesce((SELECT e.version FROM {context}.events e
                                    WHERE e.stream = c.stream
                                    ORDER BY e.version DESC LIMIT 1), 0);
    failed := failed OR FOUND;
    IF json_array_length(moves_) > 0 THEN
        RETURN QUERY
        SELECT 'overtaken', m.append, NULL::timestamptz
          FROM json_to_recordset(moves_) AS m (append bigint, reader text, position bigint)
         WHERE (SELECT true FROM {context}.readers x
                 WHERE x.name = m.reader AND x.position >= m.position);
        failed := failed OR FOUND;
    END IF;
    IF failed THEN
        RETURN;
    END IF;

    WITH r AS MATERIALIZED (
        SELECT * FROM json_to_recordset(receipts_)
            AS r (n bigint, actor text, command text, key text, command_id uuid, fingerprint text,
                  correlation_id uuid, causation_id uuid, traceparent text, address text,
                  agent text, reason text, stream uuid, version bigint, last bigint,
                  facts integer, refusal_code text, refusal_detail text, refusal_type text)
    ), written AS (
        INSERT INTO {context}.events
        SELECT base + e.n, e.stream, e.version, e.topic, e.data::json, decode(e.sealed, 'hex'),
               now_, r.actor, r.command_id, r.correlation_id, r.causation_id, r.traceparent
          FROM json_to_recordset(facts_)
            AS e (n bigint, append bigint, stream uuid, version bigint, topic text, data text,
                  sealed text)
          JOIN r ON r.n = e.append
    )
    INSERT INTO {context}.receipts (actor, command, key, command_id, fingerprint, correlation_id,
        causation_id, address, agent, reason, stream, version, position, facts, time,
        refusal_code, refusal_detail, refusal_type)
    SELECT r.actor, r.command, r.key, r.command_id, r.fingerprint, r.correlation_id,
           r.causation_id, r.address, r.agent, r.reason, r.stream, r.version, base + r.last,
           r.facts, now_, r.refusal_code, r.refusal_detail, r.refusal_type
      FROM r ORDER BY r.n;
    IF json_array_length(moves_) > 0 THEN
        INSERT INTO {context}.readers
        SELECT m.reader, max(m.position)
          FROM json_to_recordset(moves_) AS m (reader text, position bigint) GROUP BY m.reader
            ON CONFLICT (name) DO UPDATE SET position = excluded.position;
    END IF;
    UPDATE {context}.head SET position = base + facts_count, time = now_ WHERE id = 1;
    IF facts_count > 0 THEN
        PERFORM pg_notify('aorist_{context}', (base + facts_count)::text);
    END IF;
    RETURN QUERY SELECT 'accepted', base, now_;
END
$$
