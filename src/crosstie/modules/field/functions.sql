-- The one change that a timeline allows: personal fields of what it kept about one subject become null.

-- for: app
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
