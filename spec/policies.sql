REVOKE CREATE ON SCHEMA public FROM PUBLIC;

GRANT USAGE ON SCHEMA public TO crosstie_app, crosstie_worker;

ALTER TABLE alert_rules ENABLE ROW LEVEL SECURITY;

ALTER TABLE alert_rules FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON alert_rules TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON alert_rules TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON alert_rules FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON alert_rules TO crosstie_app;

ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;

ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON api_keys TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON api_keys TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON api_keys FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON api_keys TO crosstie_app;

ALTER TABLE attempts ENABLE ROW LEVEL SECURITY;

ALTER TABLE attempts FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON attempts TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON attempts TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON attempts TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON attempts FROM crosstie_app, crosstie_worker;

GRANT SELECT, UPDATE (response_body, response_headers) ON attempts TO crosstie_app;

GRANT SELECT, INSERT ON attempts TO crosstie_worker;

ALTER TABLE audit_entries ENABLE ROW LEVEL SECURITY;

ALTER TABLE audit_entries FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON audit_entries TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON audit_entries TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON audit_entries TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON audit_entries FROM crosstie_app, crosstie_worker;

GRANT SELECT ON audit_entries TO crosstie_app;

GRANT SELECT, INSERT, UPDATE (personal, personal_salt, ip, ip_salt) ON audit_entries TO crosstie_worker;

ALTER TABLE audit_heads ENABLE ROW LEVEL SECURITY;

ALTER TABLE audit_heads FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON audit_heads TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON audit_heads TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON audit_heads TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON audit_heads FROM crosstie_app, crosstie_worker;

GRANT SELECT ON audit_heads TO crosstie_app;

GRANT SELECT, INSERT, UPDATE ON audit_heads TO crosstie_worker;

ALTER TABLE audit_pending ENABLE ROW LEVEL SECURITY;

ALTER TABLE audit_pending FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON audit_pending TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON audit_pending TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON audit_pending TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON audit_pending FROM crosstie_app, crosstie_worker;

GRANT INSERT ON audit_pending TO crosstie_app;

GRANT SELECT, INSERT, DELETE ON audit_pending TO crosstie_worker;

ALTER TABLE brokers ENABLE ROW LEVEL SECURITY;

ALTER TABLE brokers FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON brokers TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

ALTER TABLE clients ENABLE ROW LEVEL SECURITY;

ALTER TABLE clients FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON clients TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON clients TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON clients FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON clients TO crosstie_app;

ALTER TABLE counters ENABLE ROW LEVEL SECURITY;

ALTER TABLE counters FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON counters TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON counters TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON counters TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON counters FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE ON counters TO crosstie_app;

GRANT SELECT, INSERT, UPDATE ON counters TO crosstie_worker;

ALTER TABLE data_keys ENABLE ROW LEVEL SECURITY;

ALTER TABLE data_keys FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON data_keys TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON data_keys TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON data_keys TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON data_keys FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON data_keys TO crosstie_app;

GRANT SELECT ON data_keys TO crosstie_worker;

ALTER TABLE dead_letters ENABLE ROW LEVEL SECURITY;

ALTER TABLE dead_letters FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON dead_letters TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON dead_letters TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON dead_letters TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON dead_letters FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON dead_letters TO crosstie_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON dead_letters TO crosstie_worker;

ALTER TABLE deliveries ENABLE ROW LEVEL SECURITY;

ALTER TABLE deliveries FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON deliveries TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON deliveries TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON deliveries TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON deliveries FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON deliveries TO crosstie_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON deliveries TO crosstie_worker;

ALTER TABLE document_versions ENABLE ROW LEVEL SECURITY;

ALTER TABLE document_versions FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON document_versions TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON document_versions TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON document_versions FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE (filename, blob) ON document_versions TO crosstie_app;

ALTER TABLE event_types ENABLE ROW LEVEL SECURITY;

ALTER TABLE event_types FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON event_types TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON event_types TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON event_types FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON event_types TO crosstie_app;

ALTER TABLE events ENABLE ROW LEVEL SECURITY;

ALTER TABLE events FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON events TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON events TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON events TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON events FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE (data) ON events TO crosstie_app;

GRANT SELECT, INSERT ON events TO crosstie_worker;

ALTER TABLE exports ENABLE ROW LEVEL SECURITY;

ALTER TABLE exports FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON exports TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON exports TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON exports FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON exports TO crosstie_app;

ALTER TABLE idempotency ENABLE ROW LEVEL SECURITY;

ALTER TABLE idempotency FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON idempotency TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON idempotency TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON idempotency FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency TO crosstie_app;

ALTER TABLE inbound_requests ENABLE ROW LEVEL SECURITY;

ALTER TABLE inbound_requests FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON inbound_requests TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON inbound_requests TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON inbound_requests TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON inbound_requests FROM crosstie_app, crosstie_worker;

GRANT SELECT, UPDATE ON inbound_requests TO crosstie_app;

GRANT SELECT, INSERT, UPDATE ON inbound_requests TO crosstie_worker;

ALTER TABLE inbound_sources ENABLE ROW LEVEL SECURITY;

ALTER TABLE inbound_sources FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON inbound_sources TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON inbound_sources TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON inbound_sources TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON inbound_sources FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON inbound_sources TO crosstie_app;

GRANT SELECT ON inbound_sources TO crosstie_worker;

ALTER TABLE inbox ENABLE ROW LEVEL SECURITY;

ALTER TABLE inbox FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON inbox TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON inbox TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON inbox TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON inbox FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT ON inbox TO crosstie_app;

GRANT SELECT, INSERT ON inbox TO crosstie_worker;

ALTER TABLE installation ENABLE ROW LEVEL SECURITY;

ALTER TABLE installation FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON installation TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

ALTER TABLE integrations ENABLE ROW LEVEL SECURITY;

ALTER TABLE integrations FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON integrations TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON integrations TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON integrations FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON integrations TO crosstie_app;

ALTER TABLE key_usage ENABLE ROW LEVEL SECURITY;

ALTER TABLE key_usage FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON key_usage TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON key_usage TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON key_usage TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON key_usage FROM crosstie_app, crosstie_worker;

GRANT SELECT, DELETE ON key_usage TO crosstie_app;

GRANT SELECT, INSERT, UPDATE ON key_usage TO crosstie_worker;

ALTER TABLE legal_holds ENABLE ROW LEVEL SECURITY;

ALTER TABLE legal_holds FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON legal_holds TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON legal_holds TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON legal_holds FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON legal_holds TO crosstie_app;

ALTER TABLE loose_files ENABLE ROW LEVEL SECURITY;

ALTER TABLE loose_files FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON loose_files TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON loose_files TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON loose_files FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON loose_files TO crosstie_app;

ALTER TABLE message_template_versions ENABLE ROW LEVEL SECURITY;

ALTER TABLE message_template_versions FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON message_template_versions TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON message_template_versions TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON message_template_versions FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT ON message_template_versions TO crosstie_app;

ALTER TABLE message_templates ENABLE ROW LEVEL SECURITY;

ALTER TABLE message_templates FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON message_templates TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON message_templates TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON message_templates FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON message_templates TO crosstie_app;

ALTER TABLE notification_providers ENABLE ROW LEVEL SECURITY;

ALTER TABLE notification_providers FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON notification_providers TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON notification_providers TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON notification_providers FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON notification_providers TO crosstie_app;

ALTER TABLE notification_rules ENABLE ROW LEVEL SECURITY;

ALTER TABLE notification_rules FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON notification_rules TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON notification_rules TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON notification_rules TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON notification_rules FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON notification_rules TO crosstie_app;

GRANT SELECT ON notification_rules TO crosstie_worker;

ALTER TABLE oauth_apps ENABLE ROW LEVEL SECURITY;

ALTER TABLE oauth_apps FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON oauth_apps TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON oauth_apps TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON oauth_apps FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_apps TO crosstie_app;

ALTER TABLE oauth_codes ENABLE ROW LEVEL SECURITY;

ALTER TABLE oauth_codes FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON oauth_codes TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON oauth_codes TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON oauth_codes FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_codes TO crosstie_app;

ALTER TABLE oauth_consents ENABLE ROW LEVEL SECURITY;

ALTER TABLE oauth_consents FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON oauth_consents TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON oauth_consents TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON oauth_consents FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_consents TO crosstie_app;

ALTER TABLE oauth_families ENABLE ROW LEVEL SECURITY;

ALTER TABLE oauth_families FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON oauth_families TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON oauth_families TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON oauth_families FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_families TO crosstie_app;

ALTER TABLE oauth_refreshes ENABLE ROW LEVEL SECURITY;

ALTER TABLE oauth_refreshes FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON oauth_refreshes TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON oauth_refreshes TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON oauth_refreshes FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_refreshes TO crosstie_app;

ALTER TABLE oauth_revocations ENABLE ROW LEVEL SECURITY;

ALTER TABLE oauth_revocations FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON oauth_revocations TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON oauth_revocations TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON oauth_revocations FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_revocations TO crosstie_app;

ALTER TABLE operations ENABLE ROW LEVEL SECURITY;

ALTER TABLE operations FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON operations TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON operations TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON operations FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON operations TO crosstie_app;

ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;

ALTER TABLE outbox FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON outbox TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON outbox TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON outbox TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON outbox FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO crosstie_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO crosstie_worker;

ALTER TABLE outlets ENABLE ROW LEVEL SECURITY;

ALTER TABLE outlets FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON outlets TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON outlets TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON outlets FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON outlets TO crosstie_app;

ALTER TABLE places ENABLE ROW LEVEL SECURITY;

ALTER TABLE places FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON places TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON places TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON places TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON places FROM crosstie_app, crosstie_worker;

GRANT SELECT ON places TO crosstie_app;

GRANT SELECT, UPDATE, DELETE ON places TO crosstie_worker;

ALTER TABLE privacy_requests ENABLE ROW LEVEL SECURITY;

ALTER TABLE privacy_requests FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON privacy_requests TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON privacy_requests TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON privacy_requests FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON privacy_requests TO crosstie_app;

ALTER TABLE processes ENABLE ROW LEVEL SECURITY;

ALTER TABLE processes FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON processes TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

ALTER TABLE pulses ENABLE ROW LEVEL SECURITY;

ALTER TABLE pulses FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON pulses TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON pulses TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON pulses TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON pulses FROM crosstie_app, crosstie_worker;

GRANT SELECT ON pulses TO crosstie_app;

GRANT SELECT, INSERT ON pulses TO crosstie_worker;

ALTER TABLE quotas ENABLE ROW LEVEL SECURITY;

ALTER TABLE quotas FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON quotas TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON quotas TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON quotas FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON quotas TO crosstie_app;

ALTER TABLE quote_versions ENABLE ROW LEVEL SECURITY;

ALTER TABLE quote_versions FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON quote_versions TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON quote_versions TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON quote_versions FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT ON quote_versions TO crosstie_app;

ALTER TABLE rates ENABLE ROW LEVEL SECURITY;

ALTER TABLE rates FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON rates TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON rates TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON rates TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON rates FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON rates TO crosstie_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON rates TO crosstie_worker;

ALTER TABLE roles ENABLE ROW LEVEL SECURITY;

ALTER TABLE roles FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON roles TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON roles TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON roles FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON roles TO crosstie_app;

ALTER TABLE route_versions ENABLE ROW LEVEL SECURITY;

ALTER TABLE route_versions FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON route_versions TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON route_versions TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON route_versions TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON route_versions FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON route_versions TO crosstie_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON route_versions TO crosstie_worker;

ALTER TABLE search_tokens ENABLE ROW LEVEL SECURITY;

ALTER TABLE search_tokens FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON search_tokens TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON search_tokens TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON search_tokens FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON search_tokens TO crosstie_app;

ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;

ALTER TABLE secrets FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON secrets TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON secrets TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON secrets FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON secrets TO crosstie_app;

ALTER TABLE service_answers ENABLE ROW LEVEL SECURITY;

ALTER TABLE service_answers FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON service_answers TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON service_answers TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON service_answers FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON service_answers TO crosstie_app;

ALTER TABLE service_calls ENABLE ROW LEVEL SECURITY;

ALTER TABLE service_calls FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON service_calls TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON service_calls TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON service_calls FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON service_calls TO crosstie_app;

ALTER TABLE service_changes ENABLE ROW LEVEL SECURITY;

ALTER TABLE service_changes FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON service_changes TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON service_changes TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON service_changes TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON service_changes FROM crosstie_app, crosstie_worker;

GRANT SELECT ON service_changes TO crosstie_app;

GRANT SELECT, INSERT, UPDATE ON service_changes TO crosstie_worker;

ALTER TABLE service_providers ENABLE ROW LEVEL SECURITY;

ALTER TABLE service_providers FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON service_providers TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON service_providers TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON service_providers TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON service_providers FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON service_providers TO crosstie_app;

GRANT SELECT ON service_providers TO crosstie_worker;

ALTER TABLE setting_versions ENABLE ROW LEVEL SECURITY;

ALTER TABLE setting_versions FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON setting_versions TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON setting_versions TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON setting_versions FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT ON setting_versions TO crosstie_app;

ALTER TABLE settings ENABLE ROW LEVEL SECURITY;

ALTER TABLE settings FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON settings TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON settings TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON settings FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON settings TO crosstie_app;

ALTER TABLE signing_keys ENABLE ROW LEVEL SECURITY;

ALTER TABLE signing_keys FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON signing_keys TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON signing_keys TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON signing_keys FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON signing_keys TO crosstie_app;

ALTER TABLE stream_tickets ENABLE ROW LEVEL SECURITY;

ALTER TABLE stream_tickets FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON stream_tickets TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON stream_tickets TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON stream_tickets FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, DELETE ON stream_tickets TO crosstie_app;

ALTER TABLE suppressions ENABLE ROW LEVEL SECURITY;

ALTER TABLE suppressions FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON suppressions TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON suppressions TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON suppressions FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON suppressions TO crosstie_app;

ALTER TABLE tenant_domains ENABLE ROW LEVEL SECURITY;

ALTER TABLE tenant_domains FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON tenant_domains TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON tenant_domains TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON tenant_domains FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, DELETE ON tenant_domains TO crosstie_app;

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;

ALTER TABLE tenants FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON tenants TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON tenants TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON tenants TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON tenants FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON tenants TO crosstie_app;

GRANT SELECT ON tenants TO crosstie_worker;

ALTER TABLE throttles ENABLE ROW LEVEL SECURITY;

ALTER TABLE throttles FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON throttles TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

ALTER TABLE timeline_entries ENABLE ROW LEVEL SECURITY;

ALTER TABLE timeline_entries FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON timeline_entries TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON timeline_entries TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON timeline_entries FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT ON timeline_entries TO crosstie_app;

ALTER TABLE trusted_issuers ENABLE ROW LEVEL SECURITY;

ALTER TABLE trusted_issuers FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON trusted_issuers TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON trusted_issuers TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON trusted_issuers FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON trusted_issuers TO crosstie_app;

ALTER TABLE turns ENABLE ROW LEVEL SECURITY;

ALTER TABLE turns FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON turns TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

ALTER TABLE users ENABLE ROW LEVEL SECURITY;

ALTER TABLE users FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON users TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON users TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON users FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON users TO crosstie_app;

ALTER TABLE webhook_endpoints ENABLE ROW LEVEL SECURITY;

ALTER TABLE webhook_endpoints FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON webhook_endpoints TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON webhook_endpoints TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON webhook_endpoints TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON webhook_endpoints FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_endpoints TO crosstie_app;

GRANT SELECT, UPDATE ON webhook_endpoints TO crosstie_worker;

ALTER TABLE workers ENABLE ROW LEVEL SECURITY;

ALTER TABLE workers FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON workers TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

ALTER TABLE alerts ENABLE ROW LEVEL SECURITY;

ALTER TABLE alerts FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON alerts TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON alerts TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON alerts FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON alerts TO crosstie_app;

ALTER TABLE messages ENABLE ROW LEVEL SECURITY;

ALTER TABLE messages FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON messages TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON messages TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

CREATE POLICY batch ON messages TO crosstie_worker
  USING (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]))
  WITH CHECK (tenant_id = ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[]));

REVOKE ALL ON messages FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON messages TO crosstie_app;

GRANT SELECT, UPDATE ON messages TO crosstie_worker;

ALTER TABLE notices ENABLE ROW LEVEL SECURITY;

ALTER TABLE notices FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON notices TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON notices TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON notices FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON notices TO crosstie_app;

ALTER TABLE notification_preferences ENABLE ROW LEVEL SECURITY;

ALTER TABLE notification_preferences FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON notification_preferences TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON notification_preferences TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON notification_preferences FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON notification_preferences TO crosstie_app;

ALTER TABLE passkeys ENABLE ROW LEVEL SECURITY;

ALTER TABLE passkeys FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON passkeys TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON passkeys TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON passkeys FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON passkeys TO crosstie_app;

ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;

ALTER TABLE sessions FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON sessions TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON sessions TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON sessions FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO crosstie_app;

ALTER TABLE sites ENABLE ROW LEVEL SECURITY;

ALTER TABLE sites FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON sites TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON sites TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON sites FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON sites TO crosstie_app;

ALTER TABLE jobs ENABLE ROW LEVEL SECURITY;

ALTER TABLE jobs FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON jobs TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON jobs TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON jobs FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON jobs TO crosstie_app;

ALTER TABLE documents ENABLE ROW LEVEL SECURITY;

ALTER TABLE documents FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON documents TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON documents TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON documents FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON documents TO crosstie_app;

ALTER TABLE media ENABLE ROW LEVEL SECURITY;

ALTER TABLE media FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON media TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON media TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON media FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON media TO crosstie_app;

ALTER TABLE payments ENABLE ROW LEVEL SECURITY;

ALTER TABLE payments FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON payments TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON payments TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON payments FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT ON payments TO crosstie_app;

ALTER TABLE quotes ENABLE ROW LEVEL SECURITY;

ALTER TABLE quotes FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON quotes TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON quotes TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON quotes FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON quotes TO crosstie_app;

ALTER TABLE schedules ENABLE ROW LEVEL SECURITY;

ALTER TABLE schedules FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON schedules TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON schedules TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON schedules FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON schedules TO crosstie_app;

ALTER TABLE certificates ENABLE ROW LEVEL SECURITY;

ALTER TABLE certificates FORCE ROW LEVEL SECURITY;

CREATE POLICY owner ON certificates TO crosstie_owner
  USING ((SELECT current_setting('app.owner', true) = 'on'))
  WITH CHECK ((SELECT current_setting('app.owner', true) = 'on'));

CREATE POLICY tenant ON certificates TO crosstie_app
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));

REVOKE ALL ON certificates FROM crosstie_app, crosstie_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON certificates TO crosstie_app;

CREATE OR REPLACE FUNCTION installation_epoch() RETURNS int
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN (SELECT epoch FROM installation WHERE id = 1);
END $$;

-- A worker says that it lives; answers which of the living it is, from 0, and how many there are.

REVOKE ALL ON FUNCTION installation_epoch() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION installation_epoch() TO crosstie_app;

GRANT EXECUTE ON FUNCTION installation_epoch() TO crosstie_worker;

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

REVOKE ALL ON FUNCTION worker_beat(uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION worker_beat(uuid, text) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION worker_leave(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION worker_leave(uuid) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION free_silent(float8) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION free_silent(float8) TO crosstie_worker;

CREATE OR REPLACE FUNCTION worker_leases(worker uuid) RETURNS TABLE (id uuid, number int)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT d.id, d.attempts FROM deliveries d WHERE d.leased_by = worker AND d.status = 'delivering';
END $$;

-- Leases of a worker that it does not know of become due again.

REVOKE ALL ON FUNCTION worker_leases(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION worker_leases(uuid) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION worker_return(uuid, uuid[], int[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION worker_return(uuid, uuid[], int[]) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION due_queues(int) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION due_queues(int) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION outbox_tenants(int) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION outbox_tenants(int) TO crosstie_worker;

CREATE OR REPLACE FUNCTION loose_tenants(most int) RETURNS TABLE (tenant_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT DISTINCT l.tenant_id FROM loose_files l LIMIT most;
END $$;

-- Seconds that the oldest due delivery has waited, and how many deliveries wait in all (for metrics).

REVOKE ALL ON FUNCTION loose_tenants(int) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION loose_tenants(int) TO crosstie_app;

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

REVOKE ALL ON FUNCTION queue_depth() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION queue_depth() TO crosstie_worker;

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

REVOKE ALL ON FUNCTION partition_add(text, text, uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION partition_add(text, text, uuid, uuid) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION partition_drop(text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION partition_drop(text, text) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION partitions() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION partitions() TO crosstie_worker;

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

REVOKE ALL ON FUNCTION partitions_analyze() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION partitions_analyze() TO crosstie_worker;

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

REVOKE ALL ON FUNCTION forget(timestamptz, uuid, int) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION forget(timestamptz, uuid, int) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION due_operations(int) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION due_operations(int) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION due_letters(int) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION due_letters(int) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION broker_beat(text[], text[], text[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION broker_beat(text[], text[], text[]) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION broker_hold(text, uuid, float8) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION broker_hold(text, uuid, float8) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION broker_tenants(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION broker_tenants(text) TO crosstie_worker;

CREATE OR REPLACE FUNCTION broker_forget(gone text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  DELETE FROM places WHERE way = gone;
  DELETE FROM brokers WHERE name = gone;
END $$;

-- Look-ups across tenants that must happen before a tenant is known.

REVOKE ALL ON FUNCTION broker_forget(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION broker_forget(text) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION key_find(bytea) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION key_find(bytea) TO crosstie_app;

CREATE OR REPLACE FUNCTION tenant_list() RETURNS TABLE (id uuid, slug text, name text, status text, sandbox boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT id, slug, name, status, sandbox FROM tenants;
END $$;

-- The tenant of a slug, a domain or an id.

REVOKE ALL ON FUNCTION tenant_list() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION tenant_list() TO crosstie_app;

GRANT EXECUTE ON FUNCTION tenant_list() TO crosstie_worker;

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

REVOKE ALL ON FUNCTION tenant_find(text, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION tenant_find(text, uuid) TO crosstie_app;

CREATE OR REPLACE FUNCTION session_find(digest bytea) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN (SELECT s.tenant_id FROM sessions s WHERE s.hash = digest);
END $$;

REVOKE ALL ON FUNCTION session_find(bytea) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION session_find(bytea) TO crosstie_app;

CREATE OR REPLACE FUNCTION user_find(address text, firm text) RETURNS TABLE (tenant_id uuid, id uuid, password_hash text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT u.tenant_id, u.id, u.password_hash FROM users u
    JOIN tenants t ON t.tenant_id = u.tenant_id AND t.id = u.tenant_id
    WHERE u.email = address AND (firm = '' OR t.slug = firm) AND u.password_hash IS NOT NULL LIMIT 2;
END $$;

REVOKE ALL ON FUNCTION user_find(text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION user_find(text, text) TO crosstie_app;

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

REVOKE ALL ON FUNCTION throttle_take(bytea[], integer[], integer[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION throttle_take(bytea[], integer[], integer[]) TO crosstie_app;

CREATE OR REPLACE FUNCTION throttle_clear(keys bytea[], refunded bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  DELETE FROM throttles WHERE key = ANY (keys);
  UPDATE throttles SET taken = taken - 1 WHERE key = refunded AND taken > 0;
END $$;

-- The tenants for whom entries of the audit log wait to be sealed.

REVOKE ALL ON FUNCTION throttle_clear(bytea[], bytea) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION throttle_clear(bytea[], bytea) TO crosstie_app;

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

REVOKE ALL ON FUNCTION audit_waiting(int) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION audit_waiting(int) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION audit_unanchored(int) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION audit_unanchored(int) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION audit_blank(text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION audit_blank(text, text) TO crosstie_app;

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

REVOKE ALL ON FUNCTION issuer_find(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION issuer_find(text) TO crosstie_app;

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

REVOKE ALL ON FUNCTION keys_due(interval, bigint, interval) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION keys_due(interval, bigint, interval) TO crosstie_app;

CREATE OR REPLACE FUNCTION keys_behind(master uuid) RETURNS TABLE (tenant_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  RETURN QUERY SELECT DISTINCT k.tenant_id FROM data_keys k
    WHERE k.purpose <> 'master' AND substring(k.wrapped FROM 2 FOR 16) <> uuid_send(master);
END $$;

REVOKE ALL ON FUNCTION keys_behind(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION keys_behind(uuid) TO crosstie_app;

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

-- Who provides a service to one tenant, with the state of its breaker: seconds until it may be asked again, null where it is
-- asked. One round trip stands before each call of a remote service.

REVOKE ALL ON FUNCTION app_find(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION app_find(text) TO crosstie_app;

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

REVOKE ALL ON FUNCTION service_provider(uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION service_provider(uuid, text) TO crosstie_app;

GRANT EXECUTE ON FUNCTION service_provider(uuid, text) TO crosstie_worker;

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

-- The one change that a timeline allows: personal fields of what it kept about one subject become null.

REVOKE ALL ON FUNCTION services_forget(timestamptz, timestamptz, int) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION services_forget(timestamptz, timestamptz, int) TO crosstie_worker;

CREATE OR REPLACE FUNCTION timeline_blank(kind text, subject text, names text[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE blanked bigint; tenant uuid := nullif(current_setting('app.tenant', true), '')::uuid;
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  UPDATE timeline_entries e
    SET data = e.data || (SELECT coalesce(jsonb_object_agg(n, 'null'::jsonb), '{}') FROM unnest(names) n WHERE e.data ? n)
    WHERE e.tenant_id = tenant AND e.subject_type = kind AND e.subject_id = subject;
  GET DIAGNOSTICS blanked = ROW_COUNT;
  RETURN blanked;
END $$;

-- Forget messages that ended and are past their time, a little at once. What waits stays, and so does what failed while its
-- dead letter is there.

REVOKE ALL ON FUNCTION timeline_blank(text, text, text[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION timeline_blank(text, text, text[]) TO crosstie_app;

CREATE OR REPLACE FUNCTION messages_forget(before timestamptz, most int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE gone bigint;
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  DELETE FROM messages m USING (
    SELECT tenant_id, id FROM messages f WHERE created_at < before AND status NOT IN ('queued', 'held', 'collected')
      AND NOT EXISTS (SELECT FROM dead_letters d WHERE d.tenant_id = f.tenant_id AND d.id = f.delivery_id)
      LIMIT most FOR UPDATE SKIP LOCKED) o
    WHERE m.tenant_id = o.tenant_id AND m.id = o.id;
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END $$;

-- Functions of the owner for watching: what processes say of themselves, whose turn it is, and sums across tenants.

-- A process says that it lives, how its lines to other systems are, and what it has counted.

REVOKE ALL ON FUNCTION messages_forget(timestamptz, int) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION messages_forget(timestamptz, int) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION process_beat(uuid, text, text, int, timestamptz, jsonb, bytea) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION process_beat(uuid, text, text, int, timestamptz, jsonb, bytea) TO crosstie_worker;

CREATE OR REPLACE FUNCTION process_leave(process uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
  PERFORM set_config('app.owner', 'on', true);
  DELETE FROM processes p WHERE p.id = process;
END $$;

-- The processes that were heard of within so many seconds.

REVOKE ALL ON FUNCTION process_leave(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION process_leave(uuid) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION processes_alive(float8) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION processes_alive(float8) TO crosstie_app;

GRANT EXECUTE ON FUNCTION processes_alive(float8) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION take_turn(text, float8) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION take_turn(text, float8) TO crosstie_app;

GRANT EXECUTE ON FUNCTION take_turn(text, float8) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION watch_tenants(timestamptz, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION watch_tenants(timestamptz, boolean) TO crosstie_app;

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

REVOKE ALL ON FUNCTION pulses_forget(timestamptz, int) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION pulses_forget(timestamptz, int) TO crosstie_worker;

CREATE OR REPLACE FUNCTION schema_revision() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
  SELECT version_num::text FROM alembic_version
$$;

-- Figures of the installation by metric and labels.

REVOKE ALL ON FUNCTION schema_revision() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION schema_revision() TO crosstie_app;

GRANT EXECUTE ON FUNCTION schema_revision() TO crosstie_worker;

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

REVOKE ALL ON FUNCTION watch_figures() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION watch_figures() TO crosstie_worker;

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

-- The source that a token belongs to, by its keyed hash: its tenant is not known before.

REVOKE ALL ON FUNCTION watch_summary() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION watch_summary() TO crosstie_worker;

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

REVOKE ALL ON FUNCTION inbound_find(bytea) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION inbound_find(bytea) TO crosstie_app;

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

REVOKE ALL ON FUNCTION due_inbound(int) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION due_inbound(int) TO crosstie_worker;

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

REVOKE ALL ON FUNCTION forget_inbound(uuid, int, int) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION forget_inbound(uuid, int, int) TO crosstie_worker;
