"""A pack that is built is final, and behind the second wall."""

from django.db import migrations

FINAL = """
CREATE TRIGGER packs_are_never_deleted
    BEFORE DELETE ON audit_auditpack FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER packs_are_built_once
    BEFORE UPDATE ON audit_auditpack
    FOR EACH ROW WHEN (OLD.sha256 IS NOT NULL OR NEW.organization_id <> OLD.organization_id
                       OR NEW.period_id <> OLD.period_id OR NEW.ordered_at <> OLD.ordered_at)
    EXECUTE FUNCTION refuse_change();
"""
NOT_FINAL = """
DROP TRIGGER packs_are_built_once ON audit_auditpack;
DROP TRIGGER packs_are_never_deleted ON audit_auditpack;
"""

WALL = """
ALTER TABLE audit_auditpack ADD CONSTRAINT auditpack_of_the_same_organization  -- a key is checked past the wall
    FOREIGN KEY (organization_id, period_id) REFERENCES billing_billingperiod (organization_id, id)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE audit_auditpack ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_organization ON audit_auditpack
    USING (organization_id = nullif(current_setting('carbon.organization', true), '')::uuid);
CREATE POLICY every_organization ON audit_auditpack
    USING (current_setting('carbon.every_organization', true) = 'on');
"""
NO_WALL = """
DROP POLICY every_organization ON audit_auditpack;
DROP POLICY one_organization ON audit_auditpack;
ALTER TABLE audit_auditpack DISABLE ROW LEVEL SECURITY;
ALTER TABLE audit_auditpack DROP CONSTRAINT auditpack_of_the_same_organization;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial"), ("carbon_site", "0002_roles_and_append_only")]

    operations = [
        migrations.RunSQL(FINAL, NOT_FINAL),
        migrations.RunSQL(WALL, NO_WALL),
    ]
