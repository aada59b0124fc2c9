-- Who provides a service to one tenant, with the state of its breaker: seconds until it may be asked again, null where it is
-- asked. One round trip stands before each call of a remote service.
-- for: app worker
CREATE OR REPLACE FUNCTION service_provider(tenant uuid, wanted text) RETURNS TABLE (id uuid, revision bigint, mode text,
  base_url text, auth jsonb, auth_secret bytea, failures bigint, rest float8, succeeded_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT p.id, p.revision, p.mode, p.base_url, p.auth, p.auth_secret, p.failures,
    extract(epoch FROM p.open_until - clock_timestamp())::float8, p.succeeded_at
    FROM service_providers p WHERE p.tenant_id = tenant AND p.service = wanted;
END $$;
