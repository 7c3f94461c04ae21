-- Projects and settings.
-- flags: --project=first
create table t (a string);
insert into t values ('in first');
setproject;
setproject odps.timemachine.retention.days = 7 odps.sql.allow.fullscan="true";
setproject;
set;
set odps.sql.timezone = Asia/Shanghai;
set any.key={"a": false};
set;
create table d (m datetime);
insert into d values ('2020-01-01 00:00:00');
select * from d;
set odps.sql.timezone=UTC;
select * from d;
use second;
-- restart
-- flags: --project=second
show tables;
create table t (a string);
insert into t values ('in second');
select * from t;
-- restart
-- flags: --project=first
select a.a, b.a as b from t a join second.t b on 1 = 1;
use second;
select * from t;
show tables in first;
show history for tables;
insert into first.t values ('from second');
show history for table first.t;
select * from first.t order by a limit 9;
restore table first.t to LSN '2';
select * from first.t;
use first;
show tables;
help restore;
