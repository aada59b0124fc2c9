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

-- Forget, a little at once, answers that are too old to stand in for anything, and calls that ended long ago and well, or
-- were refused; those that wait for somebody stay.
-- for: worker
CREATE OR REPLACE FUNCTION services_forget(answers_before timestamptz, calls_before timestamptz, most int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE first bigint; second bigint;
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  DELETE FROM service_answers a USING (
    SELECT tenant_id, operation, asked FROM service_answers WHERE asked_at < answers_before LIMIT most
      FOR UPDATE SKIP LOCKED) o
    WHERE a.tenant_id = o.tenant_id AND a.operation = o.operation AND a.asked = o.asked;
  GET DIAGNOSTICS first = ROW_COUNT;
  DELETE FROM service_calls c USING (
    SELECT tenant_id, id FROM service_calls WHERE status IN ('done', 'failed') AND finished_at < calls_before LIMIT most
      FOR UPDATE SKIP LOCKED) o
    WHERE c.tenant_id = o.tenant_id AND c.id = o.id;
  GET DIAGNOSTICS second = ROW_COUNT;
  RETURN first + second;
END $$;
