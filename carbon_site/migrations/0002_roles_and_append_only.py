"""Two roles from the first day: the owner of the tables, who migrates, and `carbon_app`, who can change rows but no table."""

from django.db import migrations

ROLES = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'carbon_app') THEN
        -- With a login for the embedded server, which admits by its socket's directory; elsewhere it has no password,
        -- and is taken on by `options=-c role=carbon_app`.
        CREATE ROLE carbon_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
    END IF;
    IF NOT pg_has_role(current_user, 'carbon_app', 'SET') THEN
        EXECUTE format('GRANT carbon_app TO %I', current_user);
    END IF;
END $$;

GRANT USAGE ON SCHEMA public TO carbon_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO carbon_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO carbon_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO carbon_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO carbon_app;
REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM carbon_app;
"""

NO_ROLES = """
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM carbon_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON SEQUENCES FROM carbon_app;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM carbon_app;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM carbon_app;
REVOKE ALL ON SCHEMA public FROM carbon_app;
"""  # the role stays: it is the whole server's, not this database's

APPEND_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% % is final', TG_TABLE_NAME, OLD.id USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER staff_actions_are_final
    BEFORE UPDATE OR DELETE ON carbon_site_staffaction FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

NOT_APPEND_ONLY = """
DROP TRIGGER staff_actions_are_final ON carbon_site_staffaction;
DROP FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("carbon_site", "0001_initial")]

    operations = [
        migrations.RunSQL(ROLES, NO_ROLES),
        migrations.RunSQL(APPEND_ONLY, NOT_APPEND_ONLY),
    ]
