"""The second wall, and a frozen figure stands for ever."""

from django.db import migrations

TABLES = ["billingperiod", "priorperiodadjustment"]

WALL = """
ALTER TABLE billing_{table} ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_organization ON billing_{table}
    USING (organization_id = nullif(current_setting('carbon.organization', true), '')::uuid);
CREATE POLICY every_organization ON billing_{table}
    USING (current_setting('carbon.every_organization', true) = 'on');
"""
NO_WALL = """
DROP POLICY every_organization ON billing_{table};
DROP POLICY one_organization ON billing_{table};
ALTER TABLE billing_{table} DISABLE ROW LEVEL SECURITY;
"""

# A foreign key is checked past the wall, so it must name the organisation itself.
SAME_ORGANIZATION = """
ALTER TABLE billing_billingperiod ADD CONSTRAINT period_of_an_organization UNIQUE (organization_id, id);
ALTER TABLE billing_priorperiodadjustment ADD CONSTRAINT adjustment_of_the_same_organization
    FOREIGN KEY (organization_id, period_id) REFERENCES billing_billingperiod (organization_id, id)
    DEFERRABLE INITIALLY DEFERRED;
"""
ANY_ORGANIZATION = """
ALTER TABLE billing_priorperiodadjustment DROP CONSTRAINT adjustment_of_the_same_organization;
ALTER TABLE billing_billingperiod DROP CONSTRAINT period_of_an_organization;
"""

FINAL = """
CREATE TRIGGER frozen_figures_are_final
    BEFORE DELETE OR UPDATE OF organization_id, month, revision, frozen_at, sealed_at, factors_id, central_ug, mean_ug, low_ug,
        high_ug, energy_uwh, root, events, combinations, coverage, retire_basis, retire_mg, carried_in_mg, carried_out_mg
    ON billing_billingperiod
    FOR EACH ROW WHEN (OLD.state <> 'open') EXECUTE FUNCTION refuse_change();
CREATE TRIGGER adjustments_are_final
    BEFORE UPDATE OR DELETE ON billing_priorperiodadjustment FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""
NOT_FINAL = """
DROP TRIGGER adjustments_are_final ON billing_priorperiodadjustment;
DROP TRIGGER frozen_figures_are_final ON billing_billingperiod;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial"), ("carbon_site", "0002_roles_and_append_only")]

    operations = [
        *[migrations.RunSQL(WALL.format(table=table), NO_WALL.format(table=table)) for table in TABLES],
        migrations.RunSQL(SAME_ORGANIZATION, ANY_ORGANIZATION),
        migrations.RunSQL(FINAL, NOT_FINAL),
    ]
