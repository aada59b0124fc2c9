-- Look-ups across tenants that must happen before a tenant is known.

-- for: app
CREATE OR REPLACE FUNCTION key_find(digest bytea) RETURNS TABLE (
  tenant_id uuid, id uuid, scopes jsonb, ips jsonb, expires_at timestamptz, revoked_at timestamptz, old boolean,
  old_until timestamptz, tenant_status text, last_used_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT k.tenant_id, k.id, k.scopes, k.ips, k.expires_at, k.revoked_at, k.hash <> digest, k.old_until, t.status,
    k.last_used_at
  FROM (SELECT * FROM api_keys WHERE hash = digest UNION ALL SELECT * FROM api_keys WHERE old_hash = digest) k
  JOIN tenants t ON t.tenant_id = k.tenant_id AND t.id = k.tenant_id;
END $$;

-- for: app worker
CREATE OR REPLACE FUNCTION tenant_list() RETURNS TABLE (id uuid, slug text, name text, status text, sandbox boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT id, slug, name, status, sandbox FROM tenants;
END $$;
