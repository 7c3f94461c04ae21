-- A warehouse of an older program: tables in record version 2, restores without marks, holds not counted.
-- warehouse: format-1
alter table t merge smallfiles;
show history for tables;
show history for table t;
select count(*), sum(a) from t;
select * from u order by a limit 5;
select count(*) from t version as of 3;
restore table p partition ('id'='00000000000000000000000000000006');
select * from p;
select * from n;
select count(*) from c;
select * from tx order by k limit 9;
restore table gone;
insert into t values (5,'w',2);
purge table t;
select count(*), sum(a) from t;
select * from u order by a limit 5;
select count(*), sum(a) from c;
select * from v where a > 8999;
alter table p drop partition (ds='3') purge;
show history for table p;
restore table p to lsn '2';
select * from p;
set odpsh.clock.advance=900h;
show history for tables;
-- restart
select count(*), sum(a) from c;
drop table c purge;
select count(*), sum(a) from t;
select * from u order by a limit 5;
