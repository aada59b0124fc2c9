"""What the declarations do not draw: the first partitions, the trigger that tells of new routes, this installation."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for parent in ("events", "deliveries", "attempts"):
        op.execute(f"CREATE TABLE {parent}_default PARTITION OF {parent} DEFAULT")
        op.execute(f"ALTER TABLE {parent}_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    for number in range(8):
        op.execute(f"CREATE TABLE inbox_{number} PARTITION OF inbox FOR VALUES WITH (MODULUS 8, REMAINDER {number})")
        op.execute(f"ALTER TABLE inbox_{number} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE FUNCTION routes_changed() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_notify('crosstie_routes', NEW.tenant_id::text); RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER routes_changed AFTER INSERT OR UPDATE ON route_versions"
        " FOR EACH ROW EXECUTE FUNCTION routes_changed()"
    )
    op.execute(
        "INSERT INTO installation (id, epoch, system_identifier)"
        " SELECT 1, 1, system_identifier FROM pg_control_system()"
    )
