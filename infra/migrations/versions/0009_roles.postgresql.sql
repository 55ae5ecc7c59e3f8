-- The roles that the actor had: sorted, joined by commas.
ALTER TABLE {context}.receipts ADD COLUMN roles text
---
ALTER TABLE {context}.interventions ADD COLUMN roles text
---
DROP FUNCTION {context}.append
---
-- Appends a whole batch, or nothing. Arrays of one group have one length, or are NULL when all in
-- them would be: r_ is a receipt for each append; c_ the streams to check; k_ the readers'
-- positions that move with it, and e_ the facts, in order, both with their append (1, 2, …).
-- Rows returned: ('repeated', append), ('stale', check) and ('overtaken', append) when nothing was
-- written, else one ('accepted', base position, time). `waited` is for how many seconds another
-- process's batch was in the way.
CREATE FUNCTION {context}.append(
    r_actor text[], r_command text[], r_key text[], r_command_id uuid[], r_fingerprint text[],
    r_correlation_id uuid[], r_causation_id uuid[], r_traceparent text[], r_address text[],
    r_agent text[], r_reason text[], r_roles text[], r_stream uuid[], r_version bigint[],
    r_last bigint[], r_facts integer[], r_code text[], r_detail text[], r_type text[],
    c_stream uuid[], c_expected bigint[],
    k_append integer[], k_name text[], k_position bigint[],
    e_append integer[], e_stream uuid[], e_version bigint[], e_topic text[], e_data text[],
    e_sealed bytea[]
) RETURNS TABLE (outcome text, number bigint, moment timestamptz, waited float8)
LANGUAGE plpgsql
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
    came timestamptz := clock_timestamp();
    waited_ float8;
    added integer := coalesce(cardinality(e_append), 0);
BEGIN
    SELECT h.position, greatest(h.time, clock_timestamp()) INTO base, now_
      FROM {context}.head h WHERE h.id = 1 FOR UPDATE;
    waited_ := extract(epoch FROM clock_timestamp() - came);

    RETURN QUERY
    SELECT 'repeated', r.n, NULL::timestamptz, waited_
      FROM unnest(r_actor, r_command, r_key) WITH ORDINALITY AS r (a, c, k, n)
     WHERE (SELECT true FROM {context}.receipts x
             WHERE x.actor = r.a AND x.command = r.c AND x.key = r.k);
    failed := FOUND;
    RETURN QUERY
    SELECT 'stale', c.n, NULL::timestamptz, waited_
      FROM unnest(c_stream, c_expected) WITH ORDINALITY AS c (s, v, n)
     WHERE c.v <> coalesce((SELECT e.version FROM {context}.events e WHERE e.stream = c.s
                             ORDER BY e.version DESC LIMIT 1), 0);
    failed := failed OR FOUND;
    RETURN QUERY
    SELECT 'overtaken', k.n::bigint, NULL::timestamptz, waited_
      FROM unnest(k_append, k_name, k_position) AS k (n, r, p)
     WHERE (SELECT true FROM {context}.readers x WHERE x.name = k.r AND x.position >= k.p);
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
        causation_id, address, agent, reason, roles, stream, version, position, facts, time,
        refusal_code, refusal_detail, refusal_type)
    SELECT r.actor, r.command, r.key, r.command_id, r.fingerprint, r.correlation_id,
           r.causation_id, r.address, r.agent, r.reason, r.roles, r.stream, r.version,
           base + r.last, r.facts, now_, r.code, r.detail, r.type
      FROM unnest(r_actor, r_command, r_key, r_command_id, r_fingerprint, r_correlation_id,
                  r_causation_id, r_address, r_agent, r_reason, r_roles, r_stream, r_version,
                  r_last, r_facts, r_code, r_detail, r_type)
           AS r (actor, command, key, command_id, fingerprint, correlation_id, causation_id,
                 address, agent, reason, roles, stream, version, last, facts, code, detail,
                 type);
    INSERT INTO {context}.readers
    SELECT k.r, max(k.p) FROM unnest(k_name, k_position) AS k (r, p) GROUP BY k.r
        ON CONFLICT (name) DO UPDATE SET position = excluded.position;
    UPDATE {context}.head SET position = base + added, time = now_ WHERE id = 1;
    IF added > 0 THEN
        PERFORM pg_notify('aorist_{context}', (base + added)::text);
    END IF;
    RETURN QUERY SELECT 'accepted', base, now_, waited_;
END
$$
