-- for: app
CREATE OR REPLACE FUNCTION app_find(client text) RETURNS TABLE (
  tenant_id uuid, id uuid, client_id text, name text, redirect_uris jsonb, grant_types jsonb, scopes jsonb,
  public boolean, status text, secret bytea, old_secret bytea, old_until timestamptz, firm text, slug text, tenant_status text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT a.tenant_id, a.id, a.client_id, a.name, a.redirect_uris, a.grant_types, a.scopes, a.public, a.status,
    a.secret, a.old_secret, a.old_until, t.name, t.slug, t.status
  FROM oauth_apps a JOIN tenants t ON t.tenant_id = a.tenant_id AND t.id = a.tenant_id WHERE a.client_id = client;
END $$;
