-- The error rows of restore.
create table t (a string);
insert overwrite table t values ('1');
create table p (a string) partitioned by (ds string);
insert into p partition (ds='1') values ('x');
insert into p partition (ds='2') values ('y');
-- unknown id
restore table t('id'='ffffffffffffffffffffffffffffffff');
-- an id of another name
restore table p('id'='00000000000000000000000000000001');
-- live
restore table t('id'='00000000000000000000000000000001');
restore table t;
-- LSN not listed
restore table t to LSN '0000000000000007';
-- malformed LSN
restore table t to LSN 'abc';
restore table t to LSN '0';
restore table t to LSN '-1';
restore table t to LSN '18446744073709551616';
-- malformed id
restore table t('id'='1234');
restore table t('name'='00000000000000000000000000000001');
-- dropped object to LSN
drop table t;
restore table t to LSN '2';
restore table t('id'='00000000000000000000000000000001') to LSN '2';
restore table t to LSN '2' as t2;
-- name taken
create table t (b string);
restore table t('id'='00000000000000000000000000000001');
restore table t('id'='00000000000000000000000000000001') as p;
restore table t('id'='00000000000000000000000000000001') as t_old;
select * from t_old;
-- partitions
restore table p partition('id'='ffffffffffffffffffffffffffffffff');
restore table p partition('id'='00000000000000000000000000000003');
restore table p partition(ds='9') to LSN '2';
restore table p partition(ds='1');
restore table p partition(ds='1') partition(ds='1') to LSN '2';
restore table t partition(ds='1') to LSN '1';
alter table p drop partition (ds='1');
restore table p partition(ds='1') to LSN '2';
restore table p partition('id'='00000000000000000000000000000003') to LSN '2';
insert into p partition (ds='1') values ('again');
restore table p partition('id'='00000000000000000000000000000003');
-- a DROP row
drop table p;
restore table p;
restore table p to LSN '6';
-- several dropped tables of one name
drop table t;
create table t (a string);
drop table t;
restore table t;
-- expired
set odpsh.clock.advance=25h;
restore table t('id'='00000000000000000000000000000005');
show history for table t('id'='00000000000000000000000000000005');
-- another schema
create table q (a bigint) partitioned by (ds string);
restore table p to LSN '5' as q;
restore table p to LSN '5' as t_old;
-- unknown table
restore table nope;
restore table nope to LSN '1';
show history for table nope;
undo table p to 1;
show history for tables;
