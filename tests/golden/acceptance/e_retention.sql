-- E. Retention of a day, counted from when a version was replaced; a longer one takes effect at once.
create table t (a string);
insert overwrite table t values ('1');
insert overwrite table t values ('2');
set odpsh.clock.advance=23h;
show history for table t;
setproject odps.timemachine.retention.days=7;
set odpsh.clock.advance=5d;
show history for table t;
restore table t to LSN '2';
select * from t;
-- Back to a day: what is older than that goes at once.
setproject odps.timemachine.retention.days=1;
show history for table t;
restore table t to LSN '1';
restore table t to LSN '3';
select * from t;
set odpsh.clock.advance=25h;
show history for table t;
restore table t to LSN '3';
-- What is gone does not come back with a longer period.
setproject odps.timemachine.retention.days=30;
show history for table t;
restore table t to LSN '3';
-- A current version never expires.
set odpsh.clock.advance=90d;
show history for table t;
select * from t;
