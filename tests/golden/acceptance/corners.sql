-- What restores come upon: other columns by the same names, names that changed hands, chains of drops.
setproject odps.timemachine.retention.days=7;
-- columns keep their ids: a dropped column of the same name does not come back with old rows
create table t (a bigint, b string);
insert into t values (1, 'old');
alter table t drop columns b;
alter table t add columns (b string);
select * from t;
insert into t values (2, 'new');
restore table t to lsn '2';
select * from t;
restore table t to lsn '5';
select * from t;
-- a table made of it does not give its new columns the old rows either
restore table t to lsn '3' as u;
alter table u add columns (b string);
select * from u;
select * from u version as of 1;
-- onto a table whose columns have other ids
create table w (a bigint, b string);
insert into w values (7, 'w');
restore table t to lsn '5' as w;
select * from w;
insert into w values (8, 'after');
select * from w;
restore table w to lsn '2';
select * from w;
-- the same of partitions
create table p (a bigint, b string) partitioned by (ds string);
insert into p partition (ds='1') values (1, 'p1');
create table q (a bigint, x string) partitioned by (ds string);
alter table q drop columns x;
alter table q add columns (b string);
insert into q partition (ds='1') values (2, 'q1');
insert into q partition (ds='2') values (3, 'q2');
restore table q to lsn '5' as p;
select * from p;
restore table p partition (ds='1') to lsn '2';
select * from p where ds = '1';
-- schema of the whole table, and of a partition by itself
alter table q add columns (c bigint);
insert overwrite table q partition (ds='1') values (4, 'q4', 40);
restore table q partition (ds='1') to lsn '4';
select * from q where ds = '1';
restore table q to lsn '5';
select * from q;
show history for table q;
-- drop, restore, drop, restore; a name that several tables had
create table d (a bigint);
insert into d values (1);
drop table d;
restore table d;
insert into d values (2);
drop table d;
create table d (a string);
drop table d;
show history for table d;
restore table d;
show history for tables;
restore table d ('id'='0000000000000000000000000000000a') as first_d;
select * from first_d;
show history for table first_d;
restore table first_d to lsn '3';
restore table first_d to lsn '2';
select * from first_d;
-- a restore of a restore, and back
restore table first_d to lsn '5';
restore table first_d to lsn '8';
select * from first_d;
-- levels, partial specs, several at once
create table m (a bigint) partitioned by (ds string, hh bigint);
insert into m partition (ds='1', hh=0) values (1);
insert into m partition (ds='1', hh=1) values (2);
insert into m partition (ds='2', hh=0) values (3);
insert overwrite table m partition (ds='1', hh=0) values (10);
insert overwrite table m partition (ds='1', hh=1) values (20);
show history for table m partition (ds='1');
restore table m partition (ds='1') to lsn '3';
select * from m;
restore table m partition (ds='1', hh=0) partition (ds='2', hh=0) to lsn '5' as n;
select * from n;
alter table m drop partition (ds='1', hh=0), partition (ds='2', hh=0);
restore table m partition ('id'='0000000000000000000000000000000d') partition ('id'='0000000000000000000000000000000f');
select * from m;
-- two that were different then have one name now
alter table m partition (ds='2', hh=0) rename to partition (ds='2', hh=5);
insert into m partition (ds='2', hh=0) values (30);
alter table m drop partition (ds='2', hh=0);
alter table m partition (ds='2', hh=5) rename to partition (ds='2', hh=0);
show history for table m partition (ds='2');
