-- Forget messages that ended and are past their time, a little at once. What waits stays, and so does what failed while its
-- dead letter is there.
-- for: worker
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
