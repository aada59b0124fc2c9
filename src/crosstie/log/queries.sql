-- The statements of the log, read as SQL. Arrays run in parallel: one entry per event, delivery or result.

-- name: append
-- Events of one Unit or one batch of results: sequence by subject in sorted order, the event, its pointer in the outbox.
-- $1 tenant_id $2 id $3 epoch $4 event_id $5 type $6 version $7 at $8 subject_type $9 subject_id $10 actor_type
-- $11 actor_id $12 source $13 correlation_id $14 causation_id $15 trace $16 data
-- part: given
SELECT * FROM unnest($1::uuid[], $2::uuid[], $4::text[], $5::text[], $6::int[], $7::timestamptz[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[])
  WITH ORDINALITY AS g (tenant_id, id, event_id, type, version, at, subject_type, subject_id,
    actor_type, actor_id, source, correlation_id, causation_id, trace, data, n)
-- part: counted
INSERT INTO counters AS c (tenant_id, subject_type, subject_id, value)
  SELECT tenant_id, subject_type, subject_id, count(*) FROM {given} WHERE subject_id IS NOT NULL
  GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (tenant_id, subject_type, subject_id) DO UPDATE SET value = c.value + excluded.value
  RETURNING tenant_id, subject_type, subject_id, value
-- part: ranked
SELECT g.*, c.value - count(*) OVER subjects + row_number() OVER (subjects ORDER BY g.n) AS sequence
  FROM {given} g LEFT JOIN {counted} c
    ON c.tenant_id = g.tenant_id AND c.subject_type = g.subject_type AND c.subject_id = g.subject_id
  WINDOW subjects AS (PARTITION BY g.tenant_id, g.subject_type, g.subject_id)
-- part: logged
INSERT INTO events (tenant_id, id, epoch, event_id, type, version, at, subject_type, subject_id, sequence, actor_type,
    actor_id, source, correlation_id, causation_id, trace, data)
  SELECT tenant_id, id, $3::int, event_id, type, version, at, subject_type, subject_id, sequence, actor_type,
    actor_id, source, correlation_id, causation_id, trace, data::json FROM {ranked}
-- part: later
INSERT INTO outbox (tenant_id, id, lane, sequence)
  SELECT tenant_id, id, subject_type || ':' || subject_id, sequence FROM {ranked}

-- name: append_one
-- The same for one event, as most Units have: nothing to be grouped or ranked. $1 … $16 as above, each a value.
-- part: counted
INSERT INTO counters AS c (tenant_id, subject_type, subject_id, value)
  SELECT $1::uuid, $8::text, $9::text, 1 WHERE $9::text IS NOT NULL
  ON CONFLICT (tenant_id, subject_type, subject_id) DO UPDATE SET value = c.value + 1
  RETURNING value
-- part: logged
INSERT INTO events (tenant_id, id, epoch, event_id, type, version, at, subject_type, subject_id, sequence, actor_type,
    actor_id, source, correlation_id, causation_id, trace, data)
  VALUES ($1::uuid, $2::uuid, $3::int, $4::text, $5::text, $6::int, $7::timestamptz, $8::text, $9::text,
    (SELECT value FROM {counted}), $10::text, $11::text, $12::text, $13::text, $14::text, $15::text, $16::json)
-- part: later
INSERT INTO outbox (tenant_id, id, lane, sequence)
  VALUES ($1::uuid, $2::uuid, $8::text || ':' || $9::text, (SELECT value FROM {counted}))

-- name: ingest
-- Hot ingest: what is new by (tenant, source, event_id) becomes an event; deliveries go in with it where the routes
-- that this process knows are still those of the database, and the outbox gets the event where they are not.
-- $1 … $16 as above, with $12 source; $17 hash $18 direct (false: leave it to the dispatcher)
-- $19 route tenant $20 route version
-- $21 delivery's event (1 …) $22 delivery id $23 endpoint_id $24 sink $25 leased $26 worker
WITH given AS (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $4::text[], $5::text[], $6::int[], $7::timestamptz[], $8::text[], $9::text[],
      $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::bytea[], $18::bool[])
    WITH ORDINALITY AS g (tenant_id, id, event_id, type, version, at, subject_type, subject_id,
      actor_type, actor_id, source, correlation_id, causation_id, trace, data, hash, direct, n)
), settled AS (
  SELECT v.tenant_id FROM unnest($19::uuid[], $20::bigint[]) AS v (tenant_id, version)
    LEFT JOIN route_versions r ON r.tenant_id = v.tenant_id
    WHERE coalesce(r.version, 0) = v.version
), fresh AS (
  INSERT INTO inbox (tenant_id, source, event_id, hash, log_id)
    SELECT tenant_id, source, event_id, hash, id FROM given ORDER BY tenant_id, source, event_id
    ON CONFLICT DO NOTHING RETURNING tenant_id, log_id
), news AS (
  SELECT g.*, g.direct AND s.tenant_id IS NOT NULL AS now
    FROM given g JOIN fresh f ON f.log_id = g.id LEFT JOIN settled s ON s.tenant_id = g.tenant_id
), counted AS (
  INSERT INTO counters AS c (tenant_id, subject_type, subject_id, value)
    SELECT tenant_id, subject_type, subject_id, count(*) FROM news WHERE subject_id IS NOT NULL
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (tenant_id, subject_type, subject_id) DO UPDATE SET value = c.value + excluded.value
    RETURNING tenant_id, subject_type, subject_id, value
), ranked AS (
  SELECT g.*, c.value - count(*) OVER subjects + row_number() OVER (subjects ORDER BY g.n) AS sequence
    FROM news g LEFT JOIN counted c
      ON c.tenant_id = g.tenant_id AND c.subject_type = g.subject_type AND c.subject_id = g.subject_id
    WINDOW subjects AS (PARTITION BY g.tenant_id, g.subject_type, g.subject_id)
), logged AS (
  INSERT INTO events (tenant_id, id, epoch, event_id, type, version, at, subject_type, subject_id, sequence, actor_type,
      actor_id, source, correlation_id, causation_id, trace, data)
    SELECT tenant_id, id, $3::int, event_id, type, version, at, subject_type, subject_id, sequence, actor_type,
      actor_id, source, correlation_id, causation_id, trace, data::json FROM ranked
), queued AS (
  INSERT INTO deliveries (tenant_id, id, created_at, log_id, event_id, event_type, endpoint_id, sink, status, attempts,
      due_at, leased_by)
    SELECT r.tenant_id, d.id, now(), r.id, r.event_id, r.type, d.endpoint_id, d.sink,
      CASE WHEN d.leased THEN 'delivering' ELSE 'pending' END, d.leased::int,
      CASE WHEN d.leased THEN NULL ELSE now() END, CASE WHEN d.leased THEN $26::uuid END
    FROM unnest($21::bigint[], $22::uuid[], $23::uuid[], $24::text[], $25::bool[])
      AS d (n, id, endpoint_id, sink, leased)
    JOIN ranked r ON r.n = d.n AND r.now
), later AS (
  INSERT INTO outbox (tenant_id, id, lane, sequence)
    SELECT tenant_id, id, subject_type || ':' || subject_id, sequence FROM ranked WHERE NOT now
)
SELECT n, sequence, now FROM ranked

-- name: seen
-- What the inbox already holds for these ids. $1 tenant_id $2 source $3 event_id
SELECT g.n, i.hash FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS g (tenant_id, source, event_id, n)
  JOIN inbox i ON i.tenant_id = g.tenant_id AND i.source = g.source AND i.event_id = g.event_id

-- name: pending
-- Take events from the outbox: of each tenant at most so many, that none stands in another's queue. $1 tenants $2 how many
WITH next AS MATERIALIZED (
  SELECT n.tenant_id, n.id FROM unnest($1::uuid[]) AS t (tenant_id) CROSS JOIN LATERAL (
    SELECT o.tenant_id, o.id FROM outbox o WHERE o.tenant_id = t.tenant_id ORDER BY o.id LIMIT $2 FOR UPDATE SKIP LOCKED
  ) n
), taken AS (
  DELETE FROM outbox o USING next n WHERE o.tenant_id = n.tenant_id AND o.id = n.id RETURNING o.tenant_id, o.id
)
SELECT e.* FROM taken t JOIN events e ON e.tenant_id = t.tenant_id AND e.id = t.id ORDER BY e.sequence, e.id

-- name: queue
-- Write deliveries. Ordered ones (with a lane) wait at infinity until they are the head of their lane.
-- $1 tenant_id $2 id $3 log_id $4 event_id $5 event_type $6 endpoint_id $7 sink $8 lane $9 sequence $10 leased $11 worker $12 round
INSERT INTO deliveries (tenant_id, id, created_at, log_id, event_id, event_type, endpoint_id, sink, lane, sequence, status,
    attempts, due_at, leased_by, round)
  SELECT d.tenant_id, d.id, now(), d.log_id, d.event_id, d.event_type, d.endpoint_id, d.sink, d.lane, d.sequence,
    CASE WHEN d.leased THEN 'delivering' ELSE 'pending' END, d.leased::int,
    CASE WHEN d.leased THEN NULL WHEN d.lane IS NOT NULL THEN 'infinity' ELSE now() END,
    CASE WHEN d.leased THEN $11::uuid END, d.round
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::text[], $9::bigint[],
    $10::bool[], $12::int[]) AS d (tenant_id, id, log_id, event_id, event_type, endpoint_id, sink, lane, sequence, leased,
    round)

-- name: lanes
-- Serialise those who may promote in these lanes, in sorted order. $1 sorted hashes of (endpoint, lane)
SELECT count(pg_advisory_xact_lock(k)) FROM unnest($1::bigint[]) AS k

-- name: promote
-- The first unfinished delivery of each lane becomes claimable, unless another of the lane is claimable or under way (a
-- replay may put one before it) or an earlier event of it still waits for dispatch, which makes none for brokers.
-- $1 tenant_id $2 endpoint_id $3 lane
UPDATE deliveries d SET due_at = now()
  FROM (SELECT DISTINCT * FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS l (tenant_id, endpoint_id, lane)) l
  CROSS JOIN LATERAL (
    SELECT h.tenant_id, h.id, h.sequence, h.due_at FROM deliveries h
      WHERE h.tenant_id = l.tenant_id AND h.endpoint_id = l.endpoint_id AND h.lane = l.lane
        AND h.status IN ('pending', 'delivering', 'retrying')
      ORDER BY h.sequence, h.id LIMIT 1
  ) head
  WHERE d.tenant_id = head.tenant_id AND d.id = head.id AND head.due_at = 'infinity'
    AND NOT EXISTS (SELECT FROM deliveries a
      WHERE a.tenant_id = l.tenant_id AND a.endpoint_id = l.endpoint_id AND a.lane = l.lane
        AND a.status IN ('pending', 'delivering', 'retrying') AND a.due_at IS DISTINCT FROM 'infinity')
    AND (d.sink = 'broker' OR NOT EXISTS (SELECT FROM outbox o
      WHERE o.tenant_id = l.tenant_id AND o.lane = l.lane AND o.sequence < head.sequence))
  RETURNING d.endpoint_id

-- name: claim
-- Lease due deliveries: per endpoint at most its room, first attempts before retries, oldest first.
-- $1 tenant_id $2 endpoint_id $3 room $4 worker
WITH due AS (
  SELECT c.tenant_id, c.id FROM unnest($1::uuid[], $2::uuid[], $3::int[]) AS q (tenant_id, endpoint_id, room)
    CROSS JOIN (VALUES ('pending'), ('retrying')) AS s (status)
    CROSS JOIN LATERAL (
      SELECT d.tenant_id, d.id FROM deliveries d
        WHERE d.tenant_id = q.tenant_id AND d.endpoint_id = q.endpoint_id AND d.status = s.status AND d.due_at <= now()
        ORDER BY d.due_at LIMIT q.room FOR UPDATE SKIP LOCKED
    ) c
), leased AS (
  UPDATE deliveries d SET status = 'delivering', attempts = d.attempts + 1, due_at = NULL, leased_by = $4
    FROM due WHERE d.tenant_id = due.tenant_id AND d.id = due.id AND d.leased_by IS NULL
    RETURNING d.tenant_id, d.id AS delivery_id, d.log_id, d.endpoint_id, d.sink, d.lane, d.attempts, d.base, d.created_at,
      d.round
)
SELECT l.delivery_id, l.endpoint_id, l.sink, l.lane, l.attempts, l.base, l.created_at, l.round, e.*
  FROM leased l JOIN events e ON e.tenant_id = l.tenant_id AND e.id = l.log_id
  ORDER BY l.attempts > 1, l.delivery_id

-- name: record
-- Results of attempts. The attempt number is the fencing token: who lost his lease writes nothing.
-- $1 tenant_id $2 delivery_id $3 number $4 worker $5 status $6 wait in seconds or null $7 started_at $8 duration_ms
-- $9 response_status $10 error_code $11 error_message $12 request_headers $13 response_headers $14 response_body
WITH given AS (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $5::text[], $6::float8[], $7::timestamptz[], $8::int[],
      $9::int[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bytea[])
    AS g (tenant_id, id, number, status, wait, started_at, duration_ms, response_status, error_code, error_message,
      request_headers, response_headers, response_body)
), done AS (
  UPDATE deliveries d SET status = g.status, leased_by = NULL, due_at = now() + g.wait * interval '1 second',
      response_status = g.response_status, error_code = g.error_code,
      -- what failed for want of our own sockets or memory, of the broker, or of a service that is left in peace, uses up
      -- no step of the schedule
      base = d.base + coalesce(g.error_code IN ('local', 'broker_away', 'service_resting'), false)::int,
      finished_at = CASE WHEN g.wait IS NULL THEN now() END
    FROM given g
    WHERE d.tenant_id = g.tenant_id AND d.id = g.id AND d.attempts = g.number AND d.id = ANY ($2::uuid[])
      AND d.status = 'delivering'
      AND d.leased_by IS NOT DISTINCT FROM $4  -- so that it is found by its key: the index of leases is full of old ones
    RETURNING g.*, d.endpoint_id, d.lane
), noted AS (
  INSERT INTO attempts (tenant_id, delivery_id, number, started_at, duration_ms, response_status, error_code,
      error_message, request_headers, response_headers, response_body)
    SELECT tenant_id, id, number, started_at, duration_ms, response_status, error_code,
      error_message, request_headers::json, response_headers::json, response_body FROM done
)
SELECT tenant_id, id, endpoint_id, lane, status FROM done

-- name: due
-- The queues that have something due, round robin over tenants. $1 how many
SELECT tenant_id, endpoint_id FROM due_queues($1)
