-- A whole partitioned table to an LSN: made since goes, dropped comes back, changed changes back.
create table t (a string) partitioned by (ds string, region string);
insert into t partition (ds='1', region='cn') values ('a');
insert into t partition (ds='1', region='us') values ('b');
insert into t partition (ds='2', region='cn') values ('c');
insert into t partition (ds='1', region='cn') values ('a2');
alter table t drop partition (ds='1', region='us');
insert overwrite table t partition (ds='3', region='cn') values ('d');
show partitions t;
restore table t to LSN '4';
show partitions t;
select * from t order by ds, region limit 9;
show history for table t;
restore table t to LSN '7';
select * from t order by ds, region, a limit 9;
show partitions t;
-- As another table, and onto it again.
restore table t to LSN '4' as u;
select * from u order by ds, region limit 9;
insert into u partition (ds='9', region='x') values ('z');
restore table t to LSN '7' as u;
select * from u order by ds, region, a limit 9;
show history for table u;
-- Named partitions leave the others of the target alone.
insert into u partition (ds='9', region='y') values ('z');
restore table t partition (ds='2', region='cn') to LSN '5' as u;
show partitions u;
restore table t to LSN '99';
restore table t to LSN '0';
-- A partial spec names every partition it fits.
show history for table t partition (ds='1');
show history for table u partition (region='cn');
restore table t partition (ds='1') to LSN '5';
select * from t where ds = '1' order by region, a limit 9;
