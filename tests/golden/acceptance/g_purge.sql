-- PURGE TABLE, PURGE ALL, DROP … PURGE: backups go, current versions stay, numbers go on.
setproject odps.timemachine.retention.days=7;
create table t (a bigint);
insert into t values (1);
insert overwrite table t values (2);
show recyclebin;
purge table t;
show history for table t;
select * from t;
restore table t to lsn '2';
insert into t values (3);
show history for table t;
-- younger than so many hours stays
set odpsh.clock.advance=3h;
insert overwrite table t values (4);
set odpsh.clock.advance=1h;
insert overwrite table t values (5);
purge table t 2;
show history for table t;
-- dropped tables of the name go too, and dropped partitions
drop table t;
create table t (a bigint) partitioned by (ds string, hh string);
alter table t add partition (ds='1', hh='0') partition (ds='1', hh='1');
alter table t drop partition (ds='1', hh='0');
show history for tables;
show recyclebin;
purge table t;
show history for tables;
show history for table t;
restore table t ('id'='00000000000000000000000000000001');
restore table t partition ('id'='00000000000000000000000000000003');
restore table t partition ('id'='000000000000000000000000000000ff');
purge table nowhere;
-- for good at once
alter table t add partition (ds='2', hh='0');
alter table t drop partition (ds='2', hh='0') purge;
show history for table t;
alter table t add partition (ds='3', hh='0');
drop table t purge;
show history for tables;
restore table t;
create table u (a bigint);
create table v (a bigint);
insert overwrite table u values (1);
insert overwrite table v values (1);
drop table v;
purge all;
show history for tables;
show history for table u;
-- partitions that are merged into another go for good
create table m (a bigint) partitioned by (ds string);
insert into m partition (ds='1') values (1);
insert into m partition (ds='2') values (2);
alter table m merge partition (ds='1'), partition (ds='2') overwrite partition (ds='3') purge;
select * from m;
show history for table m;
desc extended m;
