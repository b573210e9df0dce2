"""What is allocated is final, within what was retired, and behind the second wall."""

from django.db import migrations

FINAL = """
CREATE FUNCTION stay_within_the_batch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF upper(NEW.span) > (SELECT allocated_mg FROM receipts_creditbatch WHERE id = NEW.batch_id) THEN
        RAISE EXCEPTION 'the allocation is not within what its batch has given out'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER allocations_are_within_their_batch
    BEFORE INSERT ON receipts_allocation FOR EACH ROW EXECUTE FUNCTION stay_within_the_batch();
CREATE TRIGGER allocations_are_final
    BEFORE UPDATE OR DELETE ON receipts_allocation FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER batches_are_never_deleted
    BEFORE DELETE ON receipts_creditbatch FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER batches_only_give_out
    BEFORE UPDATE ON receipts_creditbatch
    FOR EACH ROW WHEN (to_jsonb(NEW) - 'allocated_mg' IS DISTINCT FROM to_jsonb(OLD) - 'allocated_mg'
                       OR NEW.allocated_mg < OLD.allocated_mg)
    EXECUTE FUNCTION refuse_change();

ALTER TABLE receipts_allocation ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_organization ON receipts_allocation
    USING (organization_id = nullif(current_setting('carbon.organization', true), '')::uuid);
CREATE POLICY every_organization ON receipts_allocation
    USING (current_setting('carbon.every_organization', true) = 'on');
"""
NOT_FINAL = """
DROP POLICY every_organization ON receipts_allocation;
DROP POLICY one_organization ON receipts_allocation;
ALTER TABLE receipts_allocation DISABLE ROW LEVEL SECURITY;
DROP TRIGGER batches_only_give_out ON receipts_creditbatch;
DROP TRIGGER batches_are_never_deleted ON receipts_creditbatch;
DROP TRIGGER allocations_are_final ON receipts_allocation;
DROP TRIGGER allocations_are_within_their_batch ON receipts_allocation;
DROP FUNCTION stay_within_the_batch();
"""


class Migration(migrations.Migration):
    dependencies = [("receipts", "0001_initial"), ("carbon_site", "0002_roles_and_append_only")]

    operations = [migrations.RunSQL(FINAL, NOT_FINAL)]
