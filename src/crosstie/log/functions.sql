-- Functions of the owner: the few look-ups across tenants that serving roles need, and the care of partitions.
-- Each runs with a fixed search_path with app.owner on, and answers as little as its caller needs.

-- for: app worker
CREATE OR REPLACE FUNCTION installation_epoch() RETURNS int
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN (SELECT epoch FROM installation WHERE id = 1);
END $$;

-- A worker says that it lives; answers which of the living it is, from 0, and how many there are.
-- for: worker
CREATE OR REPLACE FUNCTION worker_beat(worker uuid, worker_name text) RETURNS TABLE (place int, peers int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  INSERT INTO workers (id, name, seen_at) VALUES (worker, worker_name, clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at;
  RETURN QUERY SELECT (count(*) FILTER (WHERE id < worker))::int, count(*)::int
    FROM workers WHERE seen_at > clock_timestamp() - interval '20 seconds';
END $$;

-- for: worker
CREATE OR REPLACE FUNCTION worker_leave(worker uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  UPDATE workers SET seen_at = '-infinity' WHERE id = worker;
END $$;

-- Rows leased by workers that have been silent, or that nobody knows, become due again. The attempt stays counted, as the
-- fencing token, but it is none of the schedule's.
-- for: worker
CREATE OR REPLACE FUNCTION free_silent(silence float8) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE freed bigint;
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  WITH gone AS (
    SELECT id FROM workers WHERE seen_at < clock_timestamp() - silence * interval '1 second' FOR UPDATE SKIP LOCKED
  ), back AS (
    UPDATE deliveries d SET status = 'retrying', leased_by = NULL, due_at = now(), base = d.base + 1
      WHERE d.leased_by IS NOT NULL AND d.status = 'delivering'
        AND (d.leased_by IN (SELECT id FROM gone) OR NOT EXISTS (SELECT FROM workers w WHERE w.id = d.leased_by))
      RETURNING 1
  )
  SELECT count(*) INTO freed FROM back;
  DELETE FROM workers w WHERE w.seen_at < clock_timestamp() - silence * interval '1 second'
    AND NOT EXISTS (SELECT FROM deliveries d WHERE d.leased_by = w.id);
  RETURN freed;
END $$;

-- What a worker has leased, as the table knows it.
-- for: worker
CREATE OR REPLACE FUNCTION worker_leases(worker uuid) RETURNS TABLE (id uuid, number int)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT d.id, d.attempts FROM deliveries d WHERE d.leased_by = worker AND d.status = 'delivering';
END $$;

-- Leases of a worker that it does not know of become due again.
-- for: worker
CREATE OR REPLACE FUNCTION worker_return(worker uuid, ids uuid[], numbers int[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE freed bigint;
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  UPDATE deliveries d SET status = 'retrying', leased_by = NULL, due_at = now(), base = d.base + 1
    FROM unnest(ids, numbers) AS g (id, number)
    WHERE d.leased_by = worker AND d.id = g.id AND d.attempts = g.number AND d.status = 'delivering';
  GET DIAGNOSTICS freed = ROW_COUNT;
  RETURN freed;
END $$;

-- The queues with something due: a walk from queue to queue along the index, however long each queue is.
-- for: worker
CREATE OR REPLACE FUNCTION due_queues(most int) RETURNS TABLE (tenant_id uuid, endpoint_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY WITH RECURSIVE queues AS (
    (SELECT d.tenant_id, d.endpoint_id FROM deliveries d WHERE d.due_at IS NOT NULL
      ORDER BY d.tenant_id, d.endpoint_id LIMIT 1)
    UNION ALL
    SELECT n.tenant_id, n.endpoint_id FROM queues q CROSS JOIN LATERAL (
      SELECT d.tenant_id, d.endpoint_id FROM deliveries d
        WHERE d.due_at IS NOT NULL AND (d.tenant_id, d.endpoint_id) > (q.tenant_id, q.endpoint_id)
        ORDER BY d.tenant_id, d.endpoint_id LIMIT 1) n
  )
  SELECT q.tenant_id, q.endpoint_id FROM queues q
    WHERE EXISTS (SELECT FROM deliveries d WHERE d.tenant_id = q.tenant_id AND d.endpoint_id = q.endpoint_id
        AND d.status = 'pending' AND d.due_at <= now())
      OR EXISTS (SELECT FROM deliveries d WHERE d.tenant_id = q.tenant_id AND d.endpoint_id = q.endpoint_id
        AND d.status = 'retrying' AND d.due_at <= now())
    ORDER BY row_number() OVER (PARTITION BY q.tenant_id ORDER BY q.endpoint_id), q.tenant_id LIMIT most;
END $$;

-- for: worker
CREATE OR REPLACE FUNCTION outbox_tenants(most int) RETURNS TABLE (tenant_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY WITH RECURSIVE t AS (
    (SELECT o.tenant_id FROM outbox o ORDER BY o.tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT o.tenant_id FROM outbox o WHERE o.tenant_id > t.tenant_id ORDER BY o.tenant_id LIMIT 1)
      FROM t WHERE t.tenant_id IS NOT NULL
  )
  SELECT t.tenant_id FROM t WHERE t.tenant_id IS NOT NULL LIMIT most;
END $$;

-- for: app
CREATE OR REPLACE FUNCTION loose_tenants(most int) RETURNS TABLE (tenant_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT DISTINCT l.tenant_id FROM loose_files l LIMIT most;
END $$;

-- Seconds that the oldest due delivery has waited, and how many deliveries wait in all (for metrics).
-- for: worker
CREATE OR REPLACE FUNCTION queue_depth() RETURNS TABLE (waiting bigint, leased bigint, oldest float8, undispatched bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT (SELECT count(*) FROM deliveries WHERE due_at IS NOT NULL),
    (SELECT count(*) FROM deliveries WHERE leased_by IS NOT NULL),
    coalesce((SELECT extract(epoch FROM now() - min(due_at)) FROM deliveries WHERE due_at <= now()), 0)::float8,
    (SELECT count(*) FROM outbox);
END $$;

-- Make the partitions of a parent for a span of ids. Rows that fell into the default partition meanwhile move over.
-- for: worker
CREATE OR REPLACE FUNCTION partition_add(parent text, suffix text, lower_id uuid, upper_id uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  SET lock_timeout = '2s'
AS $$
DECLARE child text := parent || '_' || suffix; cut text;
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  IF parent NOT IN ('events', 'deliveries', 'attempts') OR suffix !~ '^[0-9]{8}$' THEN
    RAISE EXCEPTION 'not a partition of the log';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('crosstie.partitions', 0));
  IF to_regclass('public.' || child) IS NOT NULL THEN RETURN false; END IF;
  cut := CASE parent WHEN 'attempts' THEN 'delivery_id' ELSE 'id' END;
  EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', child, parent);
  EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', child);
  EXECUTE format('CREATE POLICY owner ON public.%I TO %I USING ((SELECT current_setting(''app.owner'', true) = ''on''))
    WITH CHECK ((SELECT current_setting(''app.owner'', true) = ''on''))', child, current_user);
  -- through the parent, whose policy lets the owner see rows; and nothing may fall into the default meanwhile: who comes
  -- to write waits at the parent, for at the default he would be refused once the new partition takes his rows
  EXECUTE format('LOCK TABLE ONLY public.%I IN SHARE ROW EXCLUSIVE MODE', parent);
  EXECUTE format('LOCK TABLE public.%I IN ACCESS EXCLUSIVE MODE', parent || '_default');
  EXECUTE format('WITH moved AS (DELETE FROM public.%I WHERE %I >= $1 AND %I < $2 RETURNING *)
    INSERT INTO public.%I SELECT * FROM moved', parent, cut, cut, child) USING lower_id, upper_id;
  EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
    parent, child, lower_id, upper_id);
  RETURN true;
END $$;

-- Drop a partition whose span is over. What is pending or dead, and the events it needs, stay, as do those that a broker
-- has not had: they fall into the default partition.
-- for: worker
CREATE OR REPLACE FUNCTION partition_drop(parent text, suffix text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  SET lock_timeout = '2s'
AS $$
DECLARE child text := parent || '_' || suffix; kept bigint := 0;
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  IF parent NOT IN ('events', 'deliveries', 'attempts') OR suffix !~ '^[0-9]{8}$' THEN
    RAISE EXCEPTION 'not a partition of the log';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('crosstie.partitions', 0));
  IF to_regclass('public.' || child) IS NULL THEN RETURN 0; END IF;
  EXECUTE format('ALTER TABLE public.%I DETACH PARTITION public.%I', parent, child);
  IF parent = 'deliveries' THEN
    EXECUTE format('INSERT INTO public.deliveries SELECT * FROM public.%I
      WHERE status IN (''pending'', ''delivering'', ''retrying'', ''dead'')', child);
    GET DIAGNOSTICS kept = ROW_COUNT;
  ELSIF parent = 'events' THEN
    EXECUTE format('INSERT INTO public.events SELECT e.* FROM public.%I e WHERE EXISTS (
        SELECT FROM public.deliveries d WHERE d.tenant_id = e.tenant_id AND d.log_id = e.id
          AND d.status IN (''pending'', ''delivering'', ''retrying'', ''dead''))
      OR EXISTS (SELECT FROM public.outbox o WHERE o.tenant_id = e.tenant_id AND o.id = e.id)
      OR EXISTS (SELECT FROM public.places p WHERE p.tenant_id = e.tenant_id
          AND (p.epoch, p.xid, p.id) < (e.epoch, e.xid, e.id))', child);
    GET DIAGNOSTICS kept = ROW_COUNT;
  ELSE
    EXECUTE format('INSERT INTO public.attempts SELECT a.* FROM public.%I a WHERE EXISTS (
        SELECT FROM public.deliveries d WHERE d.tenant_id = a.tenant_id AND d.id = a.delivery_id
          AND d.status IN (''pending'', ''delivering'', ''retrying'', ''dead''))', child);
    GET DIAGNOSTICS kept = ROW_COUNT;
  END IF;
  EXECUTE format('DROP TABLE public.%I', child);
  RETURN kept;
END $$;

-- The partitions of the log, with the first id of each.
-- for: worker
CREATE OR REPLACE FUNCTION partitions() RETURNS TABLE (parent text, suffix text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT p.relname::text, substr(c.relname::text, length(p.relname::text) + 2)
    FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_class c ON c.oid = i.inhrelid
    WHERE p.relname IN ('events', 'deliveries', 'attempts') AND p.relnamespace = 'public'::regnamespace
      AND c.relname::text ~ '_[0-9]{8}$';
END $$;

-- The planner's figures of partitions that grew fast are made anew: with those of an empty one it would walk a tenant's
-- whole log to find one event.
-- for: worker
CREATE OR REPLACE FUNCTION partitions_analyze() RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  SET lock_timeout = '2s'
AS $$
DECLARE child regclass; done int := 0;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('crosstie.analyze', 0)) THEN RETURN 0; END IF;
  FOR child IN SELECT c.oid FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_class c ON c.oid = i.inhrelid
    WHERE p.relname IN ('events', 'deliveries', 'attempts') AND p.relnamespace = 'public'::regnamespace
      AND pg_relation_size(c.oid) > 4 * 8192::bigint * greatest(c.relpages, 25)
  LOOP
    EXECUTE format('ANALYZE %s', child);
    done := done + 1;
  END LOOP;
  RETURN done;
END $$;

-- Forget what is past its time, a little at once: stored answers, and ids for deduplication.
-- for: worker
CREATE OR REPLACE FUNCTION forget(answers_before timestamptz, inbox_before uuid, most int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE first bigint; second bigint;
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  DELETE FROM idempotency i USING (
    SELECT tenant_id, principal, key FROM idempotency WHERE made_at < answers_before LIMIT most FOR UPDATE SKIP LOCKED) o
    WHERE i.tenant_id = o.tenant_id AND i.principal = o.principal AND i.key = o.key;
  GET DIAGNOSTICS first = ROW_COUNT;
  DELETE FROM inbox i USING (
    SELECT tenant_id, source, event_id FROM inbox WHERE log_id < inbox_before LIMIT most FOR UPDATE SKIP LOCKED) o
    WHERE i.tenant_id = o.tenant_id AND i.source = o.source AND i.event_id = o.event_id;
  GET DIAGNOSTICS second = ROW_COUNT;
  RETURN first + second;
END $$;

-- The operations whose next step is due.
-- for: worker
CREATE OR REPLACE FUNCTION due_operations(most int) RETURNS TABLE (tenant_id uuid, id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT o.tenant_id, o.id FROM operations o
    WHERE o.status IN ('queued', 'running') AND o.due_at <= now() ORDER BY o.due_at LIMIT most;
END $$;

-- Parked events whose next try is due; those of a suspended tenant wait for it.
-- for: worker
CREATE OR REPLACE FUNCTION due_letters(most int) RETURNS TABLE (tenant_id uuid, id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT l.tenant_id, l.id FROM dead_letters l JOIN tenants t ON t.id = l.tenant_id AND t.status = 'active'
    WHERE l.status = 'parked' AND l.due_at <= now() ORDER BY l.due_at LIMIT most;
END $$;

-- A worker names the brokers that it serves; answers all of the installation with the seconds since one was named. A new
-- broker begins with what is committed from now on; so it does for tenants that it is now for, and was not before.
-- for: worker
CREATE OR REPLACE FUNCTION broker_beat(names text[], allowed text[], wanted text[])
  RETURNS TABLE (name text, tenants text, types text, seen_at timestamptz, age float8)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
DECLARE era int; horizon bigint := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  SELECT epoch INTO era FROM installation WHERE id = 1;
  INSERT INTO places AS p (tenant_id, way, epoch, xid, id)
    SELECT t.id, b.name, era, horizon, '00000000-0000-0000-0000-000000000000'
      FROM unnest(names, allowed) AS g (name, tenants)
      JOIN brokers b ON b.name = g.name AND b.tenants IS NOT NULL AND b.tenants IS DISTINCT FROM g.tenants
      JOIN tenants t ON t.slug = ANY (string_to_array(g.tenants, ',')) IS NOT FALSE
        AND t.slug <> ALL (string_to_array(b.tenants, ','))
    ON CONFLICT (tenant_id, way) DO UPDATE SET epoch = excluded.epoch, xid = excluded.xid, id = excluded.id;
  DELETE FROM places p USING unnest(names, allowed) AS g (name, tenants), tenants t
    WHERE p.way = g.name AND t.id = p.tenant_id AND t.slug <> ALL (string_to_array(g.tenants, ','));
  INSERT INTO brokers AS b (name, tenants, types, seen_at, epoch, xid)
    SELECT g.name, g.tenants, g.types, clock_timestamp(), era, horizon
    FROM unnest(names, allowed, wanted) AS g (name, tenants, types) ORDER BY g.name
    ON CONFLICT (name) DO UPDATE SET tenants = excluded.tenants, types = excluded.types, seen_at = excluded.seen_at;
  RETURN QUERY SELECT b.name, b.tenants, b.types, b.seen_at,
    extract(epoch FROM clock_timestamp() - b.seen_at)::float8 FROM brokers b ORDER BY b.name;
END $$;

-- Whether a worker is the one that sends to a broker: the first that asks while nobody who lives does. Who has not asked
-- again for a while has lost it, for he cannot reach it.
-- for: worker
CREATE OR REPLACE FUNCTION broker_hold(wanted text, worker uuid, silence float8) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  UPDATE brokers b SET held_by = worker, held_at = clock_timestamp() WHERE b.name = wanted AND (b.held_by = worker
    OR b.held_at > clock_timestamp() - silence * interval '1 second' IS NOT TRUE
    OR NOT EXISTS (SELECT FROM workers w WHERE w.id = b.held_by
      AND w.seen_at > clock_timestamp() - silence * interval '1 second'));
  RETURN FOUND;
END $$;

-- Every tenant, and whether the log goes on behind the broker's place there. Tenants that the broker has no place for yet
-- get one: where the broker began.
-- for: worker
CREATE OR REPLACE FUNCTION broker_tenants(wanted text) RETURNS TABLE (tenant_id uuid, behind boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  INSERT INTO places (tenant_id, way, epoch, xid, id)
    SELECT t.id, b.name, b.epoch, b.xid, '00000000-0000-0000-0000-000000000000' FROM brokers b
      JOIN tenants t ON t.slug = ANY (string_to_array(b.tenants, ',')) IS NOT FALSE
      WHERE b.name = wanted AND NOT EXISTS (SELECT FROM places p WHERE p.tenant_id = t.id AND p.way = wanted)
    ON CONFLICT DO NOTHING;
  RETURN QUERY SELECT t.id, coalesce(t.status = 'active' AND EXISTS (SELECT FROM events e WHERE e.tenant_id = t.id
      AND (e.epoch, e.xid, e.id) > (p.epoch, p.xid, p.id)), false)
    FROM tenants t LEFT JOIN places p ON p.tenant_id = t.id AND p.way = wanted;
END $$;

-- for: worker
CREATE OR REPLACE FUNCTION broker_forget(gone text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  DELETE FROM places WHERE way = gone;
  DELETE FROM brokers WHERE name = gone;
END $$;
