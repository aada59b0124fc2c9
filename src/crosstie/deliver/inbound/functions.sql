-- The source that a token belongs to, by its keyed hash: its tenant is not known before.
-- for: app
CREATE OR REPLACE FUNCTION inbound_find(digest bytea) RETURNS TABLE (
  tenant_id uuid, id uuid, name text, dialect text, options jsonb, secret bytea, old_secret bytea, old_until timestamptz,
  tenant_status text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT s.tenant_id, s.id, s.name, s.dialect, s.options, s.secret, s.old_secret, s.old_until, t.status
  FROM (SELECT * FROM inbound_sources WHERE hash = digest
    UNION ALL SELECT * FROM inbound_sources WHERE old_hash = digest AND url_until > now()) s
  JOIN tenants t ON t.tenant_id = s.tenant_id AND t.id = s.tenant_id;
END $$;

-- Requests whose next look is due; those of a suspended tenant wait for it.
-- for: worker
CREATE OR REPLACE FUNCTION due_inbound(most int) RETURNS TABLE (tenant_id uuid, id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT r.tenant_id, r.id FROM inbound_requests r
    JOIN tenants t ON t.tenant_id = r.tenant_id AND t.id = r.tenant_id AND t.status = 'active'
    WHERE r.status = 'pending' AND r.due_at <= now() ORDER BY r.due_at LIMIT most;
END $$;

-- Forget requests that are past their time, and of those that were refused all but the newest of each source, a little
-- at once. What is pending stays.
-- for: worker
CREATE OR REPLACE FUNCTION forget_inbound(before uuid, refused int, most int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE gone bigint;
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  DELETE FROM inbound_requests r USING (
    SELECT tenant_id, id FROM inbound_requests WHERE id < before AND status <> 'pending'
    UNION ALL
    SELECT tenant_id, id FROM (SELECT tenant_id, id, row_number() OVER (PARTITION BY tenant_id, source_id ORDER BY id DESC) AS n
      FROM inbound_requests WHERE status = 'rejected' AND NOT verified) x WHERE n > refused
    LIMIT most) o
    WHERE r.tenant_id = o.tenant_id AND r.id = o.id;
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END $$;
