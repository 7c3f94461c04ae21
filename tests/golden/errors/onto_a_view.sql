-- Tables and views share their names: nothing comes back, or is made, under the name of a view.
create table t (a bigint);
insert into t values (1);
create table other (a bigint);
drop table t;
create view t as select 7 b;
restore table t;
restore table t('id'='00000000000000000000000000000001');
restore table other to lsn '1' as t;
clone table other to t;
alter table other rename to t;
create table t (a bigint);
create table t as select 1 a;
select * from t;
show history for tables;
drop view t;
restore table t;
select * from t;
create view t as select 8 c;
