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

-- The tenant of a slug, a domain or an id.
-- for: app
CREATE OR REPLACE FUNCTION tenant_find(named text, key uuid) RETURNS TABLE (
  id uuid, slug text, name text, status text, sandbox boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT t.id, t.slug, t.name, t.status, t.sandbox FROM tenants t WHERE t.id IN (
    SELECT s.id FROM tenants s WHERE s.slug = named
    UNION ALL SELECT d.tenant_id FROM tenant_domains d WHERE d.domain = named
    UNION ALL SELECT key WHERE key IS NOT NULL);
END $$;

-- for: app
CREATE OR REPLACE FUNCTION session_find(digest bytea) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN (SELECT s.tenant_id FROM sessions s WHERE s.hash = digest);
END $$;

-- for: app
CREATE OR REPLACE FUNCTION user_find(address text, firm text) RETURNS TABLE (tenant_id uuid, id uuid, password_hash text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT u.tenant_id, u.id, u.password_hash FROM users u
    JOIN tenants t ON t.tenant_id = u.tenant_id AND t.id = u.tenant_id
    WHERE u.email = address AND (firm = '' OR t.slug = firm) AND u.password_hash IS NOT NULL LIMIT 2;
END $$;

-- for: app
CREATE OR REPLACE FUNCTION throttle_take(keys bytea[], most integer[], seconds integer[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE wait integer;
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  DELETE FROM throttles WHERE key IN (SELECT key FROM throttles WHERE until < now() LIMIT 10 FOR UPDATE SKIP LOCKED);
  WITH given AS (SELECT * FROM unnest(keys, most, seconds) AS g (key, most, seconds) ORDER BY 1), counted AS (
    INSERT INTO throttles AS t (key, taken, until)
      SELECT g.key, 1, now() + make_interval(secs => g.seconds) FROM given g
    ON CONFLICT (key) DO UPDATE SET taken = CASE WHEN t.until < now() THEN 1 ELSE t.taken + 1 END,
      until = CASE WHEN t.until < now() THEN excluded.until ELSE t.until END
    RETURNING key, taken, until)
  SELECT coalesce(max(ceil(extract(epoch FROM c.until - now())))::integer, 0) INTO wait
    FROM counted c JOIN given g USING (key) WHERE c.taken > g.most;
  RETURN wait;
END $$;

-- for: app
CREATE OR REPLACE FUNCTION throttle_clear(keys bytea[], refunded bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  DELETE FROM throttles WHERE key = ANY (keys);
  UPDATE throttles SET taken = taken - 1 WHERE key = refunded AND taken > 0;
END $$;

-- The tenants for whom entries of the audit log wait to be sealed.
-- for: worker
CREATE OR REPLACE FUNCTION audit_waiting(most int) RETURNS TABLE (tenant_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY WITH RECURSIVE t AS (
    (SELECT p.tenant_id FROM audit_pending p ORDER BY p.tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT p.tenant_id FROM audit_pending p WHERE p.tenant_id > t.tenant_id ORDER BY p.tenant_id LIMIT 1)
      FROM t WHERE t.tenant_id IS NOT NULL
  )
  SELECT t.tenant_id FROM t WHERE t.tenant_id IS NOT NULL LIMIT most;
END $$;

-- The tenants whose chain grew since its last checkpoint.
-- for: worker
CREATE OR REPLACE FUNCTION audit_unanchored(most int) RETURNS TABLE (tenant_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT h.tenant_id FROM audit_heads h WHERE h.anchored < h.position LIMIT most;
END $$;

-- What waits to be sealed about a subject loses its personal part, what is by it its address. What is sealed already loses
-- them when the entry of the erasure is sealed (access/seal.py).
-- for: app
CREATE OR REPLACE FUNCTION audit_blank(kind text, subject text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE tenant uuid := nullif(current_setting('app.tenant', true), '')::uuid;
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  UPDATE audit_pending p SET personal = NULL
    WHERE p.tenant_id = tenant AND p.target_type = kind AND p.target_id = subject AND p.personal IS NOT NULL;
  UPDATE audit_pending p SET ip = NULL
    WHERE p.tenant_id = tenant AND p.actor_type = kind AND p.actor_id = subject AND p.ip IS NOT NULL;
END $$;

-- Who trusts an issuer, and on which terms.
-- for: app
CREATE OR REPLACE FUNCTION issuer_find(address text) RETURNS TABLE (
  tenant_id uuid, tenant_slug text, tenant_status text, id uuid, audience text, jwks_uri text, claims jsonb, roles jsonb,
  default_role text, scopes jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT i.tenant_id, t.slug, t.status, i.id, i.audience, i.jwks_uri, i.claims, i.roles, i.default_role, i.scopes
    FROM trusted_issuers i JOIN tenants t ON t.tenant_id = i.tenant_id AND t.id = i.tenant_id WHERE i.issuer = address;
END $$;

-- The tenants whose keys want care: the newest is too old or was used too often, an older one is not retired yet, or was
-- retired long ago. The nil tenant is the installation itself.
-- for: app
CREATE OR REPLACE FUNCTION keys_due(age interval, most bigint, kept interval) RETURNS TABLE (tenant_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT k.tenant_id FROM (
      SELECT tenant_id, made_at, sealed, retired_at, row_number() OVER (PARTITION BY tenant_id ORDER BY made_at DESC, id DESC) AS place
      FROM data_keys WHERE purpose = 'data') k
    GROUP BY k.tenant_id
    HAVING bool_or(CASE WHEN k.place = 1 THEN k.made_at <= now() - age OR k.sealed > most
      ELSE k.retired_at IS NULL OR k.retired_at < now() - kept END);
END $$;

-- The tenants with keys that another master key than this one wraps.
-- for: app
CREATE OR REPLACE FUNCTION keys_behind(master uuid) RETURNS TABLE (tenant_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT DISTINCT k.tenant_id FROM data_keys k
    WHERE k.purpose <> 'master' AND substring(k.wrapped FROM 2 FOR 16) <> uuid_send(master);
END $$;
