-- H. A restore is a change like any other and can be restored.
create table t (a bigint, b string);
insert into t values (1, 'one'), (2, 'two');
insert into t values (3, 'three');
restore table t to LSN '2';
select * from t order by a limit 9;
restore table t to LSN '3';
select * from t order by a limit 9;
restore table t to LSN '1';
select count(*) from t;
restore table t to LSN '5';
select count(*) from t;
drop table t;
restore table t;
drop table t;
restore table t('id'='00000000000000000000000000000001');
select * from t order by a limit 9;
show history for table t;
-- A DROP row has no content; the row of the restore has.
restore table t to LSN '8';
restore table t to LSN '9';
show history for table t;
-- restart
select * from t order by a limit 9;
restore table t to LSN '2';
select * from t order by a limit 9;
