-- The document's transcripts for a table without partitions, in its order.
set odps.sql.allow.fullscan=true;
## Create a table named test_restore_x.
Create Table test_restore_x(a string);
## Update the data of the test_restore_x table.
INSERT OVERWRITE TABLE test_restore_x values("0");
INSERT OVERWRITE TABLE test_restore_x values("1");
INSERT OVERWRITE TABLE test_restore_x values("2");
INSERT OVERWRITE TABLE test_restore_x values("3");
## View the backup data of the test_restore_x table.
show history for table test_restore_x;
## Delete the test_restore_x table.
drop table test_restore_x;
show history for tables;
## View the backup data of the deleted table test_restore_x.
show history for table test_restore_x('id'='00000000000000000000000000000001');
show history for table test_restore_x;
## Create a table of the same name.
Create Table test_restore_x(a string);
## An error is returned because an existing table has the same name.
restore table test_restore_x('id'='00000000000000000000000000000001');
alter table test_restore_x rename to test_restore_x_rename;
restore table test_restore_x('id'='00000000000000000000000000000001');
## Restore the test_restore_x table to a specific LSN.
restore table test_restore_x to LSN '0000000000000004';
select * from test_restore_x;
## Restore to a specific LSN and rename.
restore table test_restore_x to LSN '0000000000000005' as test_restore_x_v5;
select * from test_restore_x_v5;
## Restore onto the existing table.
restore table test_restore_x to LSN '0000000000000005' as test_restore_x_v5;
show history for table test_restore_x_v5;
## Another schema.
Create Table test_restore_2cols(a string, b string);
restore table test_restore_x to LSN '0000000000000005' as test_restore_2cols;
show history for table test_restore_x;
show history for tables;
