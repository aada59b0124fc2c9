-- Functions of the owner for watching: what processes say of themselves, whose turn it is, and sums across tenants.

-- A process says that it lives, how its lines to other systems are, and what it has counted.
-- for: worker
CREATE OR REPLACE FUNCTION process_beat(process uuid, process_name text, machine text, number int, since timestamptz,
  lines jsonb, tallies bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  INSERT INTO processes (id, name, host, pid, started_at, seen_at, states, figures)
    VALUES (process, process_name, machine, number, since, clock_timestamp(), lines, tallies)
    ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, states = excluded.states, figures = excluded.figures;
  DELETE FROM processes WHERE seen_at < clock_timestamp() - interval '10 minutes';
END $$;

-- for: worker
CREATE OR REPLACE FUNCTION process_leave(process uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  DELETE FROM processes p WHERE p.id = process;
END $$;

-- The processes that were heard of within so many seconds.
-- for: app worker
CREATE OR REPLACE FUNCTION processes_alive(silence float8) RETURNS TABLE (id uuid, name text, host text, pid int,
  started_at timestamptz, seen_at timestamptz, states jsonb, figures bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT p.id, p.name, p.host, p.pid, p.started_at, p.seen_at, p.states, p.figures FROM processes p
    WHERE p.seen_at > clock_timestamp() - silence * interval '1 second' ORDER BY p.name, p.id;
END $$;

-- Whether it is the caller's turn to do what one process does every so many seconds for all.
-- for: app worker
CREATE OR REPLACE FUNCTION take_turn(task text, every float8) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  INSERT INTO turns AS t (name, due_at) VALUES (task, clock_timestamp() + every * interval '1 second')
    ON CONFLICT (name) DO UPDATE SET due_at = excluded.due_at WHERE t.due_at <= clock_timestamp();
  RETURN FOUND;
END $$;

-- The active tenants to be looked at: those where something was called or is due or an alert is open, or all.
-- for: app
CREATE OR REPLACE FUNCTION watch_tenants(since timestamptz, everyone boolean) RETURNS TABLE (id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT t.id FROM tenants t WHERE t.status = 'active' AND (everyone
    OR EXISTS (SELECT FROM pulses p WHERE p.tenant_id = t.id AND p.at > since)
    OR EXISTS (SELECT FROM alerts a WHERE a.tenant_id = t.id AND a.status IN ('pending', 'firing'))
    OR EXISTS (SELECT FROM deliveries d WHERE d.tenant_id = t.id AND d.due_at < now() - interval '30 seconds'))
    ORDER BY t.id;
END $$;

-- for: worker
CREATE OR REPLACE FUNCTION pulses_forget(before timestamptz, most int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE gone bigint;
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  DELETE FROM pulses p USING (
    SELECT tenant_id, id FROM pulses WHERE at < before LIMIT most FOR UPDATE SKIP LOCKED) o
    WHERE p.tenant_id = o.tenant_id AND p.id = o.id;
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END $$;

-- Which migration the tables are at.
-- for: app worker
CREATE OR REPLACE FUNCTION schema_revision() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
  SELECT version_num::text FROM alembic_version
$$;

-- Figures of the installation by metric and labels.
-- for: worker
CREATE OR REPLACE FUNCTION watch_figures() RETURNS TABLE (family text, labels text[], value float8)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT 'crosstie_integrations', ARRAY[i.kind, i.status], count(*)::float8 FROM integrations i
    GROUP BY i.kind, i.status;
  RETURN QUERY SELECT 'crosstie_alerts_firing', ARRAY[a.kind, a.severity], count(*)::float8 FROM alerts a
    WHERE a.status = 'firing' GROUP BY a.kind, a.severity;
  RETURN QUERY SELECT 'crosstie_breakers', ARRAY[s.service, CASE WHEN s.open_until IS NULL THEN 'closed' ELSE 'open' END],
    count(*)::float8 FROM service_providers s WHERE s.mode = 'remote' GROUP BY 2;
  RETURN QUERY SELECT 'crosstie_dead_letters', ARRAY[l.status], count(*)::float8 FROM dead_letters l GROUP BY l.status;
  RETURN QUERY SELECT 'crosstie_processes', ARRAY[]::text[], count(*)::float8 FROM processes p
    WHERE p.seen_at > clock_timestamp() - interval '15 seconds';
END $$;

-- How many integrations are how, those that do not work, and the alerts that fire, over all tenants.
-- for: worker
CREATE OR REPLACE FUNCTION watch_summary() RETURNS TABLE (what text, kind text, status text, tenant text, name text,
  reason text, since timestamptz, number bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT 'integrations', i.kind, i.status, NULL::text, NULL::text, NULL::text, min(i.since), count(*)
    FROM integrations i GROUP BY i.kind, i.status;
  RETURN QUERY SELECT 'failing', i.kind, i.status, t.slug, i.name, i.reason, i.since, 1::bigint
    FROM integrations i JOIN tenants t ON t.id = i.tenant_id WHERE i.status IN ('degraded', 'down')
    ORDER BY i.since LIMIT 200;
  RETURN QUERY SELECT 'alert', a.kind, a.status, t.slug, a.subject, a.summary, a.fired_at, 1::bigint
    FROM alerts a JOIN tenants t ON t.id = a.tenant_id WHERE a.status = 'firing' ORDER BY a.fired_at LIMIT 200;
END $$;
