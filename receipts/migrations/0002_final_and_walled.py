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

CREATE TRIGGER receipts_are_never_deleted
    BEFORE DELETE ON receipts_carbonreceipt FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER receipts_stand_but_for_their_token  -- and their page is named once
    BEFORE UPDATE ON receipts_carbonreceipt
    FOR EACH ROW WHEN (to_jsonb(NEW) - '{token,pdf_sha256}'::text[]
                           IS DISTINCT FROM to_jsonb(OLD) - '{token,pdf_sha256}'::text[]
                       OR NEW.pdf_sha256 IS DISTINCT FROM OLD.pdf_sha256 AND OLD.pdf_sha256 IS NOT NULL)
    EXECUTE FUNCTION refuse_change();
"""

LOG = """
CREATE FUNCTION refuse_change_of_the_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is only appended to' USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER leaves_are_final
    BEFORE UPDATE OR DELETE ON receipts_logleaf FOR EACH ROW EXECUTE FUNCTION refuse_change_of_the_log();
CREATE TRIGGER nodes_are_final
    BEFORE UPDATE OR DELETE ON receipts_lognode FOR EACH ROW EXECUTE FUNCTION refuse_change_of_the_log();
CREATE TRIGGER keys_are_final
    BEFORE UPDATE OR DELETE ON receipts_signingkey FOR EACH ROW EXECUTE FUNCTION refuse_change_of_the_log();
CREATE TRIGGER status_lists_stay
    BEFORE DELETE ON receipts_statuslist FOR EACH ROW EXECUTE FUNCTION refuse_change_of_the_log();
CREATE TRIGGER the_log_only_grows
    BEFORE UPDATE ON receipts_loghead
    FOR EACH ROW WHEN (NEW.size < OLD.size) EXECUTE FUNCTION refuse_change_of_the_log();
"""
NO_LOG = """
DROP TRIGGER status_lists_stay ON receipts_statuslist;
DROP TRIGGER the_log_only_grows ON receipts_loghead;
DROP TRIGGER keys_are_final ON receipts_signingkey;
DROP TRIGGER nodes_are_final ON receipts_lognode;
DROP TRIGGER leaves_are_final ON receipts_logleaf;
DROP FUNCTION refuse_change_of_the_log();
"""

WALL = """
ALTER TABLE receipts_{table} ADD CONSTRAINT {table}_of_the_same_organization  -- a key is checked past the wall
    FOREIGN KEY (organization_id, period_id) REFERENCES billing_billingperiod (organization_id, id)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE receipts_{table} ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_organization ON receipts_{table}
    USING (organization_id = nullif(current_setting('carbon.organization', true), '')::uuid);
CREATE POLICY every_organization ON receipts_{table}
    USING (current_setting('carbon.every_organization', true) = 'on');
"""
NO_WALL = """
DROP POLICY every_organization ON receipts_{table};
DROP POLICY one_organization ON receipts_{table};
ALTER TABLE receipts_{table} DISABLE ROW LEVEL SECURITY;
ALTER TABLE receipts_{table} DROP CONSTRAINT {table}_of_the_same_organization;
"""
NOT_FINAL = """
DROP TRIGGER receipts_stand_but_for_their_token ON receipts_carbonreceipt;
DROP TRIGGER receipts_are_never_deleted ON receipts_carbonreceipt;
DROP TRIGGER batches_only_give_out ON receipts_creditbatch;
DROP TRIGGER batches_are_never_deleted ON receipts_creditbatch;
DROP TRIGGER allocations_are_final ON receipts_allocation;
DROP TRIGGER allocations_are_within_their_batch ON receipts_allocation;
DROP FUNCTION stay_within_the_batch();
"""


class Migration(migrations.Migration):
    dependencies = [("receipts", "0001_initial"), ("carbon_site", "0002_roles_and_append_only")]

    operations = [
        migrations.RunSQL(FINAL, NOT_FINAL),
        migrations.RunSQL(LOG, NO_LOG),
        *[
            migrations.RunSQL(WALL.format(table=table), NO_WALL.format(table=table))
            for table in ("allocation", "carbonreceipt")
        ],
    ]
